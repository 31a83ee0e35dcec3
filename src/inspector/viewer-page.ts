/**
 * The page that connects this server with the Stately inspector: it embeds the inspector in a frame and forwards the
 * messages of the web socket at its own address, once the inspector is ready.
 */
export function viewerPage(inspectorUrl: string, nonce: string): string {
  const { href, origin } = new URL(inspectorUrl);
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>Longshore in the Stately inspector</title>
    <style nonce="${nonce}">
      html, body { margin: 0; height: 100%; font: 16px sans-serif; }
      iframe { width: 100%; height: 100%; border: 0; }
      p { position: absolute; z-index: -1; margin: 2em; }
    </style>
  </head>
  <body>
    <p>The inspector is loaded from ${origin}. Without a way to the internet this page stays empty.</p>
    <iframe id="inspector" title="Stately inspector" src="${href}"></iframe>
    <script nonce="${nonce}">
      const { contentWindow: inspector } = document.getElementById('inspector');
      let socket;
      const open = () => {
        socket?.close();
        const own = (socket = new WebSocket(location.href.replace(/^http/, 'ws')));
        own.onmessage = ({ data }) => inspector.postMessage(JSON.parse(data), '${origin}');
        own.onclose = () => own === socket && setTimeout(() => own === socket && open(), 1000);
      };
      addEventListener('message', ({ data, source, origin }) => {
        if (source === inspector && origin === '${origin}' && data?.type === '@statelyai.connected') open();
      });
    </script>
  </body>
</html>
`;
}

/** Content security policy of that page. */
export function viewerPageHeaders(inspectorUrl: string, nonce: string, host: string): Record<string, string> {
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': [
      "default-src 'none'",
      `script-src 'nonce-${nonce}'`,
      `style-src 'nonce-${nonce}'`,
      `frame-src ${new URL(inspectorUrl).origin}`,
      `connect-src 'self' ws://${host}`,
      "frame-ancestors 'none'",
      "base-uri 'none'",
    ].join('; '),
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  };
}
