import type { FastifyInstance } from 'fastify';

/** Which methods the paths of the API take. */
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

  /** In alphabetical order; none for a path that no route has. */
  methodsOf(path: string): string[] {
    const matching = this.#routes.filter(({ pattern }) => pattern.test(path));
    return [...new Set(matching.flatMap(({ methods }) => methods))].sort();
  }
}
