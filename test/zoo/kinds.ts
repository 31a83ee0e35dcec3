import type { Kind } from './kind.js';
import { loginKinds } from './kinds/logins.js';
import { shellKinds } from './kinds/shells.js';
import { storyKinds } from './kinds/stories.js';
import { systemKinds } from './kinds/systems.js';

/** All kinds of hosts that are kept here. */
export const kinds: readonly Kind[] = [...shellKinds, ...loginKinds, ...systemKinds, ...storyKinds];
