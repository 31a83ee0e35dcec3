import type { FastifyInstance } from 'fastify';

/** The methods that each path of the API accepts. */
export class KnownRoutes {
  readonly #routes: { pattern: RegExp; methods: readonly string[] }[] = [];

  /** Records every route that is added to the app from now on. */
  watch(app: FastifyInstance): void {
    app.addHook('onRoute', ({ url, method }) => {
      const pattern = url.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll(/:\w+/g, '[^/]+');
      this.#routes.push({
        pattern: new RegExp(`^${pattern.replaceAll('*', '.*')}$`),
        methods: [method].flat(),
      });
    });
  }

  /** Returns the methods in alphabetical order; empty for an unknown path. */
  methodsOf(path: string): string[] {
    const matching = this.#routes.filter(({ pattern }) => pattern.test(path));
    return [...new Set(matching.flatMap(({ methods }) => methods))].sort();
  }
}
