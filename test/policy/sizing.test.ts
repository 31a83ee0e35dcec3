import { describe, expect, it } from 'vitest';
import type { Container } from '../../src/domain/container.js';
import type { InstanceType } from '../../src/domain/instance-type.js';
import { accommodates, place, type Capacity } from '../../src/policy/capacity.js';
import { compareVersions, sizeContainer, type SizingSettings } from '../../src/policy/choose-types.js';
import { estimateImageBytes, resourceNeeds } from '../../src/policy/resource-needs.js';
import { bare, container, gibibyte, gpuOf, typeT, type Wish } from '../support/scheduling-world.js';

const mebibyte = 2 ** 20;

function type(name: string, price: number, change: Partial<InstanceType> = {}): InstanceType {
  return typeT(8, { name, price, ramBytes: 4e9, vcpus: 2, scratchBytes: 2 * gibibyte, ...change });
}

function names(wish: Wish, types: InstanceType[], settings: Partial<SizingSettings> = {}): string[] | string {
  const sizing = sizeContainer(container(1, wish), types, { ...bare, ...settings });
  return 'unsatisfiable' in sizing ? sizing.unsatisfiable : sizing.instanceTypes.map(({ name }) => name);
}

const refused = expect.stringContaining('cannot be met') as string;

describe('choosing instance types', () => {
  it('says that none are configured (T-24, NS-20)', () => {
    expect(names({}, [])).toBe('no instance types are configured');
  });

  it('refuses what no type holds, and names what the closest lack (T-25, W-4)', () => {
    const types = [
      type('small1', 1.1, { ramBytes: 1e9, vcpus: 2, scratchBytes: 0 }),
      type('small2', 2.2, { ramBytes: 2e9, vcpus: 4, scratchBytes: 0 }),
      type('small4', 4.4, { ramBytes: 4e9, vcpus: 8, scratchBytes: gibibyte }),
    ];
    expect(names({ ram: 9876543210, vcpus: 2 }, types)).toEqual(refused);
    expect(names({ ram: 1234567890, vcpus: 20 }, types)).toContain('closest are small4 (VCPUs 8 of 20)');
    expect(names({ ram: 1234567890, vcpus: 2, cacheRam: 9876543210 }, types)).toEqual(refused);
    expect(names({ ram: 1, vcpus: 2, scratch: 2 * gibibyte }, types)).toContain(
      'scratch 1.00 GiB of 2.00 GiB',
    );
  });

  const costly = { ram: 987654321, vcpus: 2, cacheRam: 123456789, scratch: 2 * gibibyte };
  const overhead = { reserveExtraRamBytes: 268435456, localKeepBlobBuffersPerVcpu: 1 };

  it('counts overhead in RAM as specified (T-26, NS-3, NS-4, NS-5)', () => {
    expect(resourceNeeds(container(1, costly), overhead).ramBytes).toBe(1850392406);
  });

  it.each([
    [
      'T-27',
      [
        type('costly', 4.4, { vcpus: 8 }),
        type('best', 2.2, { ramBytes: 2e9, vcpus: 4 }),
        type('small', 1.1, { ramBytes: 1e9 }),
      ],
    ],
    [
      'T-28',
      [
        type('goodenough', 2.2, { ramBytes: 2e9, vcpus: 4 }),
        type('best', 2.2, { vcpus: 4 }),
        type('small', 1.1, { ramBytes: 1e9 }),
      ],
    ],
    [
      'T-29',
      [
        type('nearly', 2.2, { ramBytes: 1.2e9, vcpus: 4 }),
        type('best', 3.3, { vcpus: 4 }),
        type('costly', 4.4),
      ],
    ],
  ])('prefers the cheapest that fits, then the most RAM (%s, NS-40, NS-42)', (_id, types) => {
    expect(names(costly, types, overhead)[0]).toBe('best');
  });

  it('reserves buffers for each VCPU (T-30, NS-4)', () => {
    const types = [
      type('nearly', 2.2),
      type('best', 3.3, { ramBytes: 8e9 }),
      type('costly', 4.4, { ramBytes: 12e9 }),
    ];
    expect(names(costly, types, { ...overhead, localKeepBlobBuffersPerVcpu: 16 })).toEqual(['best']);
  });

  it('takes dearer ones within the price factor (T-31, NS-40)', () => {
    const prices = { best: 2.0, 'best+1': 2.2, 'best+2': 2.4, 'best+3': 2.6, 'best+5': 3.0, 'best+7': 3.4 };
    const types = [
      type('small', 1.0, { scratchBytes: gibibyte }),
      type('small+1', 1.1, { ramBytes: 1e9 }),
      ...Object.entries(prices).map(([name, price]) => type(name, price)),
    ];
    expect(names(costly, types, { ...overhead, maximumPriceFactor: 1.5 })).toEqual([
      'best',
      'best+1',
      'best+2',
      'best+3',
      'best+5',
    ]);
  });

  it('keeps spot and on-demand apart (T-32, NS-26)', () => {
    const types = [
      type('costly', 4.4, { preemptible: true }),
      type('almost best', 2.2),
      type('best', 2.2, { preemptible: true }),
      type('small', 1.1, { ramBytes: 1e9, preemptible: true }),
    ];
    expect(names({ ...costly, preemptible: true }, types, overhead)).toEqual(['best']);
  });

  it('adds on-demand types after the spot ones where a container may fall back', () => {
    const types = [
      type('dear spot', 2.9, { preemptible: true }),
      type('spot', 1, { preemptible: true }),
      type('plain', 2),
      type('dear', 3.1),
    ];
    const wish = { preemptible: true, onDemandFallback: true };
    expect(names(wish, types, { maximumPriceFactor: 1.5 })).toEqual(['spot', 'plain']);
    expect(names({ ...wish, onDemandFallback: false }, types, { onDemandFallback: true })).toEqual(['spot']);
    expect(names({ preemptible: true }, types.slice(2), { onDemandFallback: true })).toEqual(['plain']);
    expect(names({ preemptible: true }, types.slice(2))).toContain('is not preemptible');
    expect(names({}, types.slice(0, 2))).toContain('is preemptible');
  });

  it('names those that come closest, not the cheapest (W-4)', () => {
    const types = [1, 2, 4, 64].map((n) => type(`r${n}`, n, { ramBytes: n * gibibyte }));
    expect(names({ ram: 80 * gibibyte }, types)).toMatch(
      /closest are r64 \(RAM 64.00 GiB of .* overhead\); r4/,
    );
  });

  it('estimates the size of an image from its hash (T-33, NS-7)', () => {
    const hash = 'd5025c0f29f6eef304a7358afa82a822';
    expect(resourceNeeds(container(1, { image: `${hash}+342` }), bare).scratchBytes).toBe(805306368);
    expect([estimateImageBytes(`${hash}+-342`), estimateImageBytes(`${hash}+34`)]).toEqual([0, 0]);
  });

  it('needs disk for the image twice, or beside the mounts (T-34, NS-8)', () => {
    const wish = { image: 'd5025c0f29f6eef304a7358afa82a822+342', cacheDisk: 2 * gibibyte };
    const scratch = (tmp: number): number =>
      resourceNeeds(container(1, { ...wish, scratch: tmp }), bare).scratchBytes;
    expect(scratch(1e8)).toBe(2 * 384 * mebibyte + 2 * gibibyte);
    expect(scratch(gibibyte)).toBe(gibibyte + 384 * mebibyte + 2 * gibibyte);
  });

  it('matches GPUs by stack, count, memory, driver and hardware (T-35, NS-28, NS-29, NS-30)', () => {
    const types = [
      type('low_capability', 2.1, { gpu: gpuOf({ hardwareTarget: '8.0' }) }),
      type('best', 2.2, { gpu: gpuOf({}) }),
      type('low_driver', 2.1, { gpu: gpuOf({ driverVersion: '10.0' }) }),
      type('cheap', 2.0, { gpu: gpuOf({ hardwareTarget: '8.0', driverVersion: '10.0' }) }),
      type('more_vram', 2.3, {
        gpu: gpuOf({ hardwareTarget: '8.0', driverVersion: '10.0', vramBytes: 8 * gibibyte }),
      }),
      type('costly', 4.4, { gpu: gpuOf({ deviceCount: 2 }) }),
    ];
    const wish = (gpu: Partial<Container['constraints']['gpu']>): string[] | string =>
      names(
        {
          gpu: {
            stack: 'cuda',
            deviceCount: 1,
            driverVersion: '11.0',
            hardwareTarget: ['9.0'],
            vramBytes: 2e9,
            ...gpu,
          },
        },
        types,
      );
    expect(wish({})).toEqual(['best']);
    expect(wish({ deviceCount: 2 })).toEqual(['costly']);
    expect(wish({ hardwareTarget: ['8.0'] })).toEqual(['low_capability']);
    expect(wish({ driverVersion: '10.0' })).toEqual(['low_driver']);
    expect(wish({ hardwareTarget: [] })).toEqual(refused);
    expect(wish({ hardwareTarget: ['8.0'], vramBytes: 8e9 })).toEqual(refused);
    expect(wish({ hardwareTarget: ['8.0'], vramBytes: 8e9, driverVersion: '10.0' })).toEqual(['more_vram']);
  });

  it('matches rocm hardware by name (T-36, NS-28, NS-30)', () => {
    const rocm = (hardwareTarget: string, vramBytes: number) =>
      gpuOf({ stack: 'rocm', hardwareTarget, vramBytes });
    const types = [
      type('gfx1100', 2.0, { gpu: rocm('gfx1100', 20 * gibibyte) }),
      type('gfx1103', 1.9, { gpu: rocm('gfx1103', 8 * gibibyte) }),
      type('none', 0.1, { gpu: rocm('gfx1100', 0) }),
    ];
    const wish = (hardwareTarget: string[]): string[] | string =>
      names(
        { gpu: { stack: 'rocm', deviceCount: 1, driverVersion: '11.0', hardwareTarget, vramBytes: 2e9 } },
        types,
      );
    expect(wish(['gfx1100'])).toEqual(['gfx1100']);
    expect(wish(['gfx1100', 'gfx1103'])).toEqual(['gfx1103']);
  });

  it('keeps containers without GPU wish off GPU types (T-37, NS-27)', () => {
    expect(names({}, [type('gpu', 1.0, { gpu: gpuOf({}) }), type('plain', 1.1)])).toEqual(['plain']);
  });

  it('names a GPU stack nobody knows (T-38, NS-32)', () => {
    expect(names({ gpu: { stack: 'opencl' } }, [type('a', 1)])).toContain('"opencl"');
  });

  it('takes only free types when there are any (T-40, NS-44, W-5)', () => {
    expect(names({}, [type('B', 5), type('A', 0)], { maximumPriceFactor: 1.5 })).toEqual(['A']);
  });

  it('compares versions part by part (W-3)', () => {
    expect(compareVersions('11.10', '11.9')).toBeGreaterThan(0);
    expect(compareVersions('12.0.12', '12')).toBeGreaterThan(0);
    expect(compareVersions('', '1')).toBeUndefined();
  });
});

describe('what is left of an instance', () => {
  const capacity = (vcpus: number, isOneVcpuShared = false): Capacity => ({
    vcpus,
    ramBytes: 1,
    scratchBytes: 1,
    gpus: 0,
    gpuVramBytes: 0,
    isOneVcpuShared,
  });
  const need = (vcpus: number) => ({ vcpus, ramBytes: 0, scratchBytes: 0, gpus: 0, gpuVramBytes: 0 });

  it('lets containers without VCPUs share one, and never with one that fills the instance (T-39, NS-12)', () => {
    const two = capacity(2);
    expect(accommodates(two, need(2))).toBe(true);
    place(two, need(0));
    expect([2, 1, 0].map((vcpus) => accommodates(two, need(vcpus)))).toEqual([false, true, true]);
    expect([1, 0].map((vcpus) => accommodates(capacity(1, true), need(vcpus)))).toEqual([false, true]);
    expect(accommodates(capacity(0), need(0))).toBe(false);
  });

  it('gives two containers a GPU each, all memory of it included (W-14)', () => {
    const gpus = { ...capacity(4), gpus: 2, gpuVramBytes: 8 };
    const one = { ...need(1), gpus: 1, gpuVramBytes: 8 };
    place(gpus, one);
    expect(accommodates(gpus, one)).toBe(true);
    place(gpus, one);
    expect(accommodates(gpus, one)).toBe(false);
  });
});
