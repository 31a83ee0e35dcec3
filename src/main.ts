#!/usr/bin/env node
import { tooFewDescriptors } from './daemon/descriptor-limit.js';

// Loading the program opens more files than a low limit allows, and would blame the file that failed to open.
const fault = tooFewDescriptors();
if (fault === undefined) await import('./longshore.js');
else {
  process.stderr.write(`longshore: ${fault}\n`);
  process.exitCode = 1;
}
