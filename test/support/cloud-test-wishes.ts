import type { CloudTestCommand } from '../../src/cloudtest/report.js';

/** What `longshore cloudtest` is asked for without options, to be changed where a test needs it. */
export const cloudTestWishes = (change: Partial<CloudTestCommand>): CloudTestCommand => ({
  type: '',
  image: '',
  setId: 'zzzzz-zzzzz-zzzzzzcloudtest',
  destroyExisting: false,
  command: '',
  pause: undefined,
  shell: false,
  begun: () => {},
  done: () => {},
  said: () => {},
  ...change,
});
