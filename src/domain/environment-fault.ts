import type { ArgumentFault } from './argument-limits.js';

const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/;

const delicateName = new RegExp(
  `^(${[
    'PATH|IFS|ENV|HOME|PWD|OLDPWD|SHLVL|_|UID|EUID|PPID|GROUPS|SHELLOPTS|POSIXLY_CORRECT|TMPDIR',
    'OPTIND|OPTARG|OPTERR|LINENO|RANDOM|SRANDOM|SECONDS|EPOCHSECONDS|EPOCHREALTIME|DIRSTACK|FUNCNAME|HISTCMD',
    'PS[0-4]|BASH\\w*|LD_\\w*|LC_\\w*|LANG|LONGSHORE_\\w*|XDG_\\w*|\\w*_(PROXY|proxy)',
    'DOCKER_\\w*|CONTAINER\\w*|PODMAN_\\w*|BUILDAH_\\w*|REGISTRY_AUTH_FILE|SINGULARITY\\w*|APPTAINER\\w*',
  ].join('|')})$`,
);

/**
 * True for a name with a meaning for a shell, the loader or an engine's client: set in the runner's own process it would
 * be refused, altered, or change what the runner does. It travels as a word, or as a line of a file, instead.
 */
export function isDelicateName(name: string): boolean {
  return delicateName.test(name);
}

/** The first variable that cannot be handed to a program, or not to one in an image; `undefined` when all can be. */
export function environmentFault(
  env: Readonly<Record<string, string>>,
  image: string,
): ArgumentFault | undefined {
  for (const [name, value] of Object.entries(env)) {
    const path = ['env', name];
    if (!variableName.test(name))
      return { path, message: `${JSON.stringify(name)} is no name of an environment variable` };
    if (image !== '' && delicateName.test(name) && /[\r\n]/.test(value))
      return {
        path,
        message:
          'holds a line break, which a container engine does not take in a variable of this name: use another name, ' +
          'or encode the value',
      };
  }
  return undefined;
}
