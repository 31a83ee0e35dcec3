import { readdirSync } from 'node:fs';
import js from '@eslint/js';
import tseslint from 'typescript-eslint';
import { noImportCircle } from './scripts/no-import-circle.mjs';

/**
 * What each folder of src may import beside itself and packages: the table of the architecture, as lint. Every folder has
 * a row. The files of src itself start the program and may import all of it; nothing imports them.
 */
const mayImport = {
  domain: [],
  policy: ['domain/'],
  async: ['domain/'],
  machines: ['domain/', 'policy/'],
  ssh: ['domain/', 'async/', 'machines/connection.js'],
  drivers: ['domain/', 'async/', 'ssh/', 'policy/'],
  // The lease fences what the store writes.
  queue: ['domain/', 'async/', 'leadership/lease-table.js'],
  runner: ['domain/'],
  // What each driver takes, without the driver; what policy and runner are configured with.
  config: [
    'domain/',
    'ssh/keys.js',
    'drivers/parameters.js',
    'policy/scheduler-settings.js',
    'runner/runner-settings.js',
  ],
  fleet: [
    'domain/',
    'policy/',
    'machines/',
    'async/',
    'drivers/driver.js',
    'drivers/call-gate.js',
    'ssh/executor.js',
    'ssh/host-key.js',
    'queue/queue.js',
    'runner/',
  ],
  actors: [
    'domain/',
    'policy/listing-limits.js',
    'machines/',
    'async/',
    'drivers/driver.js',
    'ssh/',
    'queue/queue.js',
    'runner/',
    'fleet/',
  ],
  leadership: ['domain/', 'machines/leadership.js', 'queue/'],
  journal: [
    'domain/',
    'policy/wait-reason.js',
    'machines/',
    'async/',
    'queue/store/',
    'queue/container-store.js',
  ],
  // Types of what it reports of.
  observability: [
    'domain/',
    'policy/',
    'machines/',
    'journal/',
    'fleet/',
    'config/config.js',
    'drivers/wrappers/observe.js',
    'queue/queue.js',
    'queue/observed-queue.js',
  ],
  api: [
    'domain/',
    'policy/wait-reason.js',
    'machines/inspection/active-states.js',
    'fleet/pool.js',
    'queue/',
    'journal/',
    'observability/metrics.js',
    'config/config.js',
    'ssh/executor.js',
  ],
  cli: ['domain/', 'config/', 'cloudtest/report.js', 'journal/replay/', 'simulation/forecast/'],
  inspector: ['machines/worker.js', 'journal/replay/replay.js'],
  page: [],
  // Puts together all but the command line and what runs the daemon's core elsewhere.
  daemon: [
    'domain/',
    'policy/',
    'machines/',
    'async/',
    'ssh/',
    'drivers/',
    'queue/',
    'runner/',
    'config/',
    'fleet/',
    'actors/',
    'leadership/',
    'journal/',
    'observability/',
    'api/',
    'inspector/',
  ],
  // One command: a fleet of one instance, on what the daemon is made of.
  cloudtest: [
    'domain/',
    'ssh/',
    'drivers/',
    'queue/store/',
    'config/',
    'fleet/',
    'actors/create-instance.js',
    'daemon/',
  ],
  simulation: [
    'domain/',
    'policy/',
    'machines/',
    'ssh/executor.js',
    'drivers/',
    'queue/',
    'runner/',
    'config/',
    'fleet/',
    'actors/',
    'journal/',
    'observability/',
    'daemon/',
  ],
};

for (const { name } of readdirSync(`${import.meta.dirname}/src`, { withFileTypes: true })) {
  if (!name.includes('.') && !(name in mayImport))
    throw new Error(`src/${name} has no row in the import table`);
}

const zones = Object.entries(mayImport).flatMap(([folder, allowed]) => {
  const message = `src/${folder} may import only packages, itself and: ${allowed.join(', ') || 'nothing else'}`;
  return [1, 2, 3].map((depth) => {
    const out = '\\.\\./'.repeat(depth);
    const regex = `^${out}(?!${['\\.\\./', ...allowed].join('|')})`;
    return {
      files: [`src/${folder}/${'*/'.repeat(depth - 1)}*.ts`],
      rules: { 'no-restricted-imports': ['error', { patterns: [{ regex, message }] }] },
    };
  });
});

export default tseslint.config(
  { ignores: ['dist', 'coverage', 'node_modules', 'test-output', '.cache'] },
  js.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['eslint.config.js', 'scripts/*.mjs'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      'max-params': ['error', 5],
      'max-depth': ['error', 4],
      eqeqeq: 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true, allow: [{ name: 'URLSearchParams', from: 'lib' }] },
      ],
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false } }],
      '@typescript-eslint/require-await': 'off',
      // Options are objects of plain functions here, written in method form.
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
    },
  },
  {
    files: ['src/**/*.ts'],
    plugins: { longshore: { rules: { 'no-import-circle': noImportCircle } } },
    rules: {
      'no-console': 'error',
      'longshore/no-import-circle': ['error', `${import.meta.dirname}/src`],
    },
  },
  ...zones,
  {
    files: ['src/machines/**/*.ts', 'src/policy/**/*.ts', 'src/domain/[!c]*.ts'],
    rules: {
      'no-restricted-globals': ['error', 'process', 'setTimeout', 'setInterval', 'setImmediate', 'fetch'],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now' },
        { object: 'Math', property: 'random' },
      ],
    },
  },
  {
    // Replies of the API are looked into as they come.
    files: ['test/wiring/**/*.ts', 'test/support/in-process.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
    },
  },
  { files: ['**/*.mjs', 'eslint.config.js'], ...tseslint.configs.disableTypeChecked },
  {
    files: ['scripts/**/*.mjs', 'test/**/*.mjs'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        setTimeout: 'readonly',
        fetch: 'readonly',
        URL: 'readonly',
      },
    },
  },
);
