#!/usr/bin/env node
import { tooFewDescriptors } from './daemon/descriptor-limit.js';

// Loading the program takes more descriptors than a low limit allows, and says so of whatever file was next.
const fault = tooFewDescriptors();
if (fault === undefined) await import('./longshore.js');
else {
  process.stderr.write(`longshore: ${fault}\n`);
  process.exitCode = 1;
}
