import { fileURLToPath } from 'node:url';

/** Where the build put the page, from the sources and from the build alike. */
export const pageFolder = fileURLToPath(new URL('../../dist/page/', import.meta.url));
