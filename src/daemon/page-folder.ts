import { fileURLToPath } from 'node:url';

/** Folder of the built page, for a run from the sources as well as from the build. */
export const pageFolder = fileURLToPath(new URL('../../dist/page/', import.meta.url));
