import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

export interface PriceListServer {
  url: string;
  /** Filters of each question. */
  asked: Record<string, string>[];
  close(): Promise<void>;
}

interface Question {
  Filters: { Field: string; Value: string }[];
  NextToken?: string;
}

/**
 * AWS's list of prices, with these dollars an hour by type: GetProducts of the Price List Query API, in the shape of its
 * guide ("Finding services and products"), one product a page.
 */
export async function startPriceList(prices: Readonly<Record<string, number>>): Promise<PriceListServer> {
  const asked: Record<string, string>[] = [];
  const server = createServer((request, response) => {
    void (json(request) as Promise<Question>).then(({ Filters, NextToken = '0' }) => {
      const wanted = Object.fromEntries(Filters.map(({ Field, Value }) => [Field, Value]));
      asked.push(wanted);
      const { instanceType } = wanted;
      const names = Object.keys(prices).filter((name) => instanceType === undefined || name === instanceType);
      const at = Number(NextToken);
      const next = at + 1 < names.length ? { NextToken: String(at + 1) } : {};
      const PriceList = names.slice(at, at + 1).map((name) => productOf(name, prices[name]!));
      response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' });
      response.end(JSON.stringify({ FormatVersion: 'aws_v1', PriceList, ...next }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function productOf(instanceType: string, dollars: number): string {
  const priceDimensions = {
    'SKU.TERM.RATE': {
      unit: 'Hrs',
      pricePerUnit: { USD: dollars.toFixed(10) },
      description: 'per On Demand Linux',
    },
  };
  return JSON.stringify({
    product: {
      productFamily: 'Compute Instance',
      sku: 'SKU',
      attributes: { instanceType, tenancy: 'Shared' },
    },
    serviceCode: 'AmazonEC2',
    terms: { OnDemand: { 'SKU.TERM': { sku: 'SKU', priceDimensions } } },
  });
}
