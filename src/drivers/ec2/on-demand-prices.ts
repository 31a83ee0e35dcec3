import { GetProductsCommand, PricingClient, type Filter } from '@aws-sdk/client-pricing';
import * as z from 'zod';
import { abortError } from '../abortable.js';
import { clientConfig } from './api.js';
import { Credentials } from './credentials.js';
import type { Ec2Parameters } from './parameters.js';
import { redactor } from './redactor.js';
import { translateEc2Error } from './translate-error.js';

/** The list of prices is served in few regions, for all. */
const pricingRegion = 'us-east-1';
/** More types than this are cheaper to find among all. */
const mostSingleQueries = 8;

const product = z.object({
  product: z.object({ attributes: z.object({ instanceType: z.string() }) }),
  terms: z.object({
    OnDemand: z.record(
      z.string(),
      z.object({
        priceDimensions: z.record(
          z.string(),
          z.object({ unit: z.string(), pricePerUnit: z.record(z.string(), z.string()) }),
        ),
      }),
    ),
  }),
});

/** Dollars an hour of Linux on demand, by type; what the list does not have is not in it. Rejects with `DriverError`. */
export async function onDemandPrices(
  parameters: Ec2Parameters,
  types: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const credentials = new Credentials(parameters);
  const { endpoint: _, ...config } = clientConfig(parameters, credentials);
  const client = new PricingClient({ ...config, region: pricingRegion });
  const prices = new Map<string, number>();
  const queries = types.length <= mostSingleQueries ? types : [undefined];
  try {
    for (const type of queries) await addPrices(client, filters(parameters.region, type), prices, signal);
    return prices;
  } catch (error) {
    if (signal.aborted) throw abortError(signal, 'ask for prices on demand');
    const redact = redactor(credentials.secrets);
    throw translateEc2Error(error, 'ask for prices on demand', redact);
  } finally {
    client.destroy();
  }
}

function filters(region: string, type: string | undefined): Filter[] {
  const wanted = {
    regionCode: region,
    operatingSystem: 'Linux',
    tenancy: 'Shared',
    preInstalledSw: 'NA',
    capacitystatus: 'Used',
    ...(type === undefined ? {} : { instanceType: type }),
  };
  return Object.entries(wanted).map(([Field, Value]) => ({ Type: 'TERM_MATCH', Field, Value }));
}

async function addPrices(
  client: PricingClient,
  Filters: Filter[],
  prices: Map<string, number>,
  abortSignal: AbortSignal,
): Promise<void> {
  for (let NextToken: string | undefined; ;) {
    const command = new GetProductsCommand({
      ServiceCode: 'AmazonEC2',
      FormatVersion: 'aws_v1',
      Filters,
      ...(NextToken ? { NextToken } : {}),
    });
    const reply = await client.send(command, { abortSignal });
    for (const each of reply.PriceList ?? []) addPrice(String(each), prices);
    if (!reply.NextToken || reply.NextToken === NextToken) return;
    NextToken = reply.NextToken;
  }
}

/** Products without a price on demand are passed over. */
function addPrice(json: string, prices: Map<string, number>): void {
  const parsed = product.safeParse(JSON.parse(json));
  if (!parsed.success) return;
  const { product: described, terms } = parsed.data;
  const hourly = Object.values(terms.OnDemand)
    .flatMap(({ priceDimensions }) => Object.values(priceDimensions))
    .filter(({ unit, pricePerUnit }) => unit === 'Hrs' && Number(pricePerUnit['USD']) > 0)
    .map(({ pricePerUnit }) => Number(pricePerUnit['USD']));
  if (hourly.length > 0) prices.set(described.attributes.instanceType, Math.min(...hourly));
}
