/**
 * Asks the metadata service of the instance for its place among those of its request (`ami-launch-index`, in "Instance
 * metadata categories" of the Amazon EC2 User Guide), by session, with whatever the image has.
 */
const findLaunchIndex = `imds=\${LONGSHORE_METADATA_URL:-http://169.254.169.254}/latest
ttl='X-aws-ec2-metadata-token-ttl-seconds: 60'
launch_index() {
  if command -v curl >/dev/null 2>&1; then
    token=$(curl -sf -m 5 --noproxy '*' -X PUT -H "$ttl" "$imds/api/token") || return 1
    curl -sf -m 5 --noproxy '*' -H "X-aws-ec2-metadata-token: $token" "$imds/meta-data/ami-launch-index"
  elif command -v python3 >/dev/null 2>&1; then
    python3 - "$imds" <<'LAUNCH_INDEX'
import sys, urllib.request as http
ask = http.build_opener(http.ProxyHandler({})).open
ttl = {'X-aws-ec2-metadata-token-ttl-seconds': '60'}
token = ask(http.Request(sys.argv[1] + '/api/token', method='PUT', headers=ttl), timeout=5).read().decode()
headers = {'X-aws-ec2-metadata-token': token}
print(ask(http.Request(sys.argv[1] + '/meta-data/ami-launch-index', headers=headers), timeout=5).read().decode())
LAUNCH_INDEX
  else
    wget -q -O - -T 5 -t 1 --no-proxy --header="X-aws-ec2-metadata-token: $(
      wget -q -O - -T 5 -t 1 --no-proxy --method=PUT --header="$ttl" "$imds/api/token"
    )" "$imds/meta-data/ami-launch-index"
  fi
}
tries=60
until launch_index=$(launch_index) && [ -n "$launch_index" ]; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || break
  sleep 1
done
`;

/**
 * What runs as root at first boot (EC-13). Several: each instance of the request runs the one at its place; what they
 * have alike at their ends is there once.
 */
export function bootScript(initCommands: readonly string[]): string {
  const [first = '', ...others] = initCommands;
  if (others.length === 0) return `#!/bin/sh\n${first}\n`;
  const scripts = initCommands.map((each) => each.split('\n'));
  const shared = sharedEnd(scripts);
  const own = scripts.map(
    (lines, index) => `${index})\n${lines.slice(0, lines.length - shared).join('\n')}\n;;`,
  );
  const end = scripts[0]!.slice(scripts[0]!.length - shared);
  const unknown = `*)\necho "longshore: no place of this instance in its request: '$launch_index'" >&2\nexit 1\n;;`;
  return ['#!/bin/sh', `${findLaunchIndex}case "$launch_index" in`, ...own, unknown, 'esac', ...end, ''].join(
    '\n',
  );
}

/** How many lines all of them end with alike. */
function sharedEnd(scripts: readonly (readonly string[])[]): number {
  const [first = [], ...others] = scripts;
  const shortest = Math.min(...scripts.map(({ length }) => length));
  let count = 0;
  while (count < shortest && others.every((each) => each.at(-1 - count) === first.at(-1 - count))) count++;
  return count;
}
