import { plantedBugs } from './planted-bugs.js';
import { scenarioOf } from '../src/simulation/scenario.js';
import { simulate } from '../src/simulation/simulate.js';
for (const name of Object.keys(plantedBugs)) {
  const t = performance.now();
  for (let seed = 1; seed <= 20; seed++) {
    const { violations } = await simulate({ ...scenarioOf(seed, 2), untilDone: false, failFast: true, worker: plantedBugs[name]!() });
    if (violations.length > 0) { console.log(name, seed, violations[0], ((performance.now() - t) / 1000).toFixed(1)); break; }
    if (seed === 20) console.log(name, 'NOT FOUND', ((performance.now() - t) / 1000).toFixed(1));
  }
}
