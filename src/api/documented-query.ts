const text = { type: 'string', pattern: '^[^\\u0000]+$' };
const reason = { ...text, description: 'Reason, for the journal.' };

function query(name: string, rest: Record<string, object> = {}) {
  const named = { ...text, description: 'In the query or in the body of a form.' };
  return { type: 'object', required: [name], properties: { [name]: named, ...rest } };
}

const root = '/arvados/v1/dispatch';
const orders = ['hold', 'drain', 'run', 'kill'];

/** Parameters of the reference's management API, which reads them from the query or from a form (H-3). */
export const documentedQuery: Readonly<Record<string, object>> = {
  [`GET ${root}/container`]: query('container_uuid'),
  [`POST ${root}/containers/kill`]: query('container_uuid', { reason }),
  ...Object.fromEntries(
    orders.map((order) => [`POST ${root}/instances/${order}`, query('instance_id', { reason })]),
  ),
};
