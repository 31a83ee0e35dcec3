import * as z from 'zod';

const secrets = z.registry<{ isSecret: true }>();

/** Marks a parameter whose value, or whose every value inside, nothing may show. */
export function secret<T extends z.ZodType>(schema: T): T {
  secrets.add(schema, { isSecret: true });
  return schema;
}

/** Whether {@link secret} marked this very schema. */
export function isSecretParameter(schema: z.core.$ZodType): boolean {
  return secrets.has(schema);
}
