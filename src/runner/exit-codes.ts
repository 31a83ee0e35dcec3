/** With which Longshore's runner program refuses a start, having run nothing of the container. */
export const startRefusals = {
  /** The start document is damaged, or for another program. */
  badDocument: 65,
  /** The instance cannot run containers: a full or read-only disk, no inodes, no permission, a tool that is missing. */
  brokenInstance: 71,
  /** A process of the container is there already: of an earlier start. */
  occupied: 73,
} as const;
