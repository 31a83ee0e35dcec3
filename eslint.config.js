import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/** What each folder of src may import beside itself and packages: the table of the architecture, as lint. */
const mayImport = {
  domain: [],
  policy: ['domain/', 'actors/pool.js', 'queue/queue.js', 'config/config.js'],
  machines: ['domain/', 'policy/', 'drivers/driver.js'],
  // hold-off: the breakers of calls to a provider, as those of the pool.
  drivers: ['domain/', 'ssh/', 'policy/'],
  ssh: ['domain/', 'machines/connection.js'],
  queue: ['domain/'],
  // parameters: what each driver takes, without the driver.
  config: ['domain/', 'ssh/keys.js', 'drivers/parameters.js'],
  runner: ['domain/', 'queue/queue.js'],
  journal: [
    'domain/',
    'queue/store/',
    'machines/worker-effects.js',
    'actors/roster.js',
    'actors/observed.js',
  ],
  replay: [
    'domain/',
    'machines/',
    'actors/roster.js',
    'actors/observed.js',
    'actors/guard-trace.js',
    'actors/chart-state.js',
    'journal/journal.js',
  ],
  explain: [
    'domain/',
    'actors/roster.js',
    'actors/chart-state.js',
    'actors/pending-timers.js',
    'actors/pool-views.js',
    'journal/journal.js',
    'policy/wait-reason.js',
    'queue/container-store.js',
    'replay/step-recorder.js',
  ],
  invariants: ['domain/'],
  metrics: ['domain/', 'actors/pool.js', 'invariants/invariants.js'],
  actors: [
    'drivers/call-gate.js',
    'domain/',
    'policy/',
    'machines/',
    'drivers/driver.js',
    'ssh/',
    'queue/queue.js',
    'config/config.js',
    'runner/',
  ],
  api: [
    'domain/',
    'policy/wait-reason.js',
    'actors/pool.js',
    'actors/chart-state.js',
    'queue/',
    'journal/journal.js',
    'explain/explanation.js',
    'replay/',
    'metrics/',
    'config/config.js',
    'ssh/executor.js',
  ],
  cloudtest: ['domain/', 'drivers/driver.js', 'ssh/', 'actors/'],
  cli: ['domain/', 'config/', 'cloudtest/report.js', 'replay/replay.js', 'forecast/forecast.js'],
  inspector: ['machines/worker.js', 'replay/replay.js'],
  forecast: ['domain/', 'config/', 'journal/journal.js', 'simulation/'],
};

const zones = Object.entries(mayImport).flatMap(([folder, allowed]) => {
  const beyond = `(?!${['\\.\\./', ...allowed].join('|') || '$'})`;
  const message = `src/${folder} may import only packages, itself and: ${allowed.join(', ') || 'nothing else'}`;
  const rule = (regex) => ({ 'no-restricted-imports': ['error', { patterns: [{ regex, message }] }] });
  return [
    { files: [`src/${folder}/*.ts`], rules: rule(`^\\.\\./${beyond}`) },
    { files: [`src/${folder}/*/*.ts`], rules: rule(`^\\.\\./\\.\\./${beyond}`) },
  ];
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
      'max-params': ['error', 6],
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
  { files: ['src/**/*.ts'], rules: { 'no-console': 'error' } },
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
