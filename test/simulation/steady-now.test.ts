import { expect, it } from 'vitest';
import { steadyNow } from '../../src/domain/clock.js';

it('follows the wall clock, but neither jumps nor goes back when that is set', () => {
  let wall = 1_000_000;
  let passed = 0;
  const now = steadyNow(
    () => wall,
    () => passed,
  );
  const pass = (ms: number): number => {
    wall += ms;
    passed += ms;
    return now();
  };
  expect(now()).toBe(1_000_000);
  expect(pass(5_000)).toBe(1_005_000);
  wall += 7_200_000;
  expect(now()).toBe(1_005_000);
  expect(pass(10_000)).toBe(1_015_050);
  wall -= 7_200_000 + 60_000;
  expect(pass(10_000)).toBe(1_025_000);
  for (let minute = 0; minute < 400; minute++) pass(60_000);
  expect(now()).toBe(wall);
});
