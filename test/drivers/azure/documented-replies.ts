/**
 * How far a reply is known to be Azure's own. `page`: code and text stand on the page, names and numbers are ours.
 * `reports`: people quote such replies of the real Azure. `memory`: neither was found; the page tells of the error.
 * Where a page gives no HTTP status, headers or JSON around the text, those are by the rules of Resource Manager.
 */
export type Provenance = 'page' | 'reports' | 'memory';

/** Replies of Azure, each with the page of its documentation that tells of it. */
export interface DocumentedReply {
  /** On learn.microsoft.com. */
  source: string;
  text: Provenance;
  status: number;
  headers?: Readonly<Record<string, string>>;
  body: unknown;
}

const troubleshooting = 'azure/azure-resource-manager/troubleshooting';

export const throttledByCompute = (retryAfter?: string): DocumentedReply => ({
  source: 'troubleshoot/azure/virtual-machines/troubleshooting-throttling-errors',
  text: 'page',
  status: 429,
  headers: {
    'x-ms-ratelimit-remaining-resource': 'Microsoft.Compute/HighCostGet30Min;0',
    ...(retryAfter !== undefined && { 'retry-after': retryAfter }),
  },
  body: {
    code: 'OperationNotAllowed',
    message:
      'The server rejected the request because too many requests have been received for this subscription.',
    details: [
      {
        code: 'TooManyRequests',
        target: 'HighCostGet30Min',
        message:
          '{"operationGroup":"HighCostGet30Min","startTime":"2018-06-29T19:54:21.0914017+00:00","endTime":"2018-06-29T20:14:21.0914017+00:00","allowedRequestCount":800,"measuredRequestCount":1238}',
      },
    ],
  },
});

export const throttledByManager: DocumentedReply = {
  source: 'azure/azure-resource-manager/management/request-limits-and-throttling',
  text: 'reports',
  status: 429,
  headers: { 'retry-after': '17' },
  body: {
    error: {
      code: 'SubscriptionRequestsThrottled',
      message:
        "Number of 'write' requests for subscription 'the-subscription' actor 'the-actor' exceeded. Please try again after '17' seconds after additional tokens are available.",
    },
  },
};

export const regionalQuota: DocumentedReply = {
  source: `${troubleshooting}/error-resource-quota`,
  text: 'reports',
  status: 409,
  body: {
    error: {
      code: 'OperationNotAllowed',
      message:
        'Operation could not be completed as it results in exceeding approved Total Regional Cores quota. Additional details - Deployment Model: Resource Manager, Location: centralus, Current Limit: 10, Current Usage: 10, Additional Required: 1, (Minimum) New Limit Required: 11.',
    },
  },
};

export const familyQuota: DocumentedReply = {
  source: `${troubleshooting}/error-resource-quota`,
  text: 'reports',
  status: 409,
  body: {
    error: {
      code: 'OperationNotAllowed',
      message:
        'Operation could not be completed as it results in exceeding approved standardDSv5Family Cores quota. Additional details - Deployment Model: Resource Manager, Location: centralus, Current Limit: 10, Current Usage: 10, Additional Required: 2, (Minimum) New Limit Required: 12.',
    },
  },
};

export const coreQuota: DocumentedReply = {
  source: `${troubleshooting}/error-resource-quota`,
  text: 'page',
  status: 409,
  body: {
    error: {
      code: 'OperationNotAllowed',
      message:
        'Operation results in exceeding quota limits of Core. Maximum allowed: 4, Current in use: 4, Additional requested: 2.',
    },
  },
};

/** With the code that some requests get for the same. */
export const quotaExceeded: DocumentedReply = {
  source: 'troubleshoot/azure/azure-kubernetes/create-upgrade-delete/error-code-quotaexceeded',
  text: 'reports',
  status: 409,
  body: {
    error: {
      code: 'QuotaExceeded',
      message:
        'Operation could not be completed as it results in exceeding approved Total Regional Cores quota. Additional details - Deployment Model: Resource Manager, Location: westus, Current Limit: 100, Current Usage: 56, Additional Required: 56, (Minimum) New Limit Required: 112.',
    },
  },
};

export const skuNotAvailable: DocumentedReply = {
  source: `${troubleshooting}/error-sku-not-available`,
  text: 'page',
  status: 409,
  body: {
    error: {
      code: 'SkuNotAvailable',
      message:
        "The requested size for resource '/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm' is currently not available in location 'centralus' zones '' for subscription 's'. Please try another size or deploy to a different location or zones.",
    },
  },
};

/** As the state of an operation that was accepted before. */
export const allocationFailed: DocumentedReply = {
  source: 'troubleshoot/azure/virtual-machines/windows/allocation-failure',
  text: 'page',
  status: 200,
  body: {
    status: 'Failed',
    error: {
      code: 'AllocationFailed',
      message:
        'Allocation failed. We do not have sufficient capacity for the requested VM size in this region. Read more about improving likelihood of allocation success at https://aka.ms/allocation-guidance',
    },
  },
};

export const subnetIsFull: DocumentedReply = {
  source: `${troubleshooting}/common-deployment-errors`,
  text: 'memory',
  status: 400,
  body: {
    error: {
      code: 'SubnetIsFull',
      message:
        'Subnet subnet with address prefix 10.0.0.0/29 does not have enough capacity for 1 IP addresses.',
      details: [],
    },
  },
};

export const authorizationFailed: DocumentedReply = {
  source: 'azure/role-based-access-control/troubleshooting',
  text: 'reports',
  status: 403,
  body: {
    error: {
      code: 'AuthorizationFailed',
      message:
        "The client 'the-client' with object id 'the-object' does not have authorization to perform action 'Microsoft.Compute/virtualMachines/write' over scope '/subscriptions/s/resourceGroups/g' or the scope is invalid.",
    },
  },
};

export const expiredToken: DocumentedReply = {
  source: `${troubleshooting}/common-deployment-errors`,
  text: 'memory',
  status: 401,
  headers: {
    'www-authenticate': 'Bearer authorization_uri="https://login.windows.net/t", error="invalid_token"',
  },
  body: {
    error: {
      code: 'ExpiredAuthenticationToken',
      message:
        'The access token expiry UTC time is earlier than current UTC time. Check the clock of this host.',
    },
  },
};

export const groupNotFound: DocumentedReply = {
  source: `${troubleshooting}/error-not-found`,
  text: 'memory',
  status: 404,
  body: { error: { code: 'ResourceGroupNotFound', message: "Resource group 'g' could not be found." } },
};

export const resourceNotFound = (what: string): DocumentedReply => ({
  source: `${troubleshooting}/error-not-found`,
  text: 'page',
  status: 404,
  body: {
    error: {
      code: 'ResourceNotFound',
      message: `The Resource '${what}' under resource group 'g' was not found.`,
    },
  },
});

export const parentBusy: DocumentedReply = {
  source: `${troubleshooting}/common-deployment-errors`,
  text: 'memory',
  status: 409,
  headers: { 'retry-after': '10' },
  body: {
    error: {
      code: 'AnotherOperationInProgress',
      message: 'Another operation on this or dependent resource is in progress.',
      details: [],
    },
  },
};

export const serverError: DocumentedReply = {
  source: `${troubleshooting}/common-deployment-errors`,
  text: 'memory',
  status: 503,
  headers: { 'retry-after': '5' },
  body: { error: { code: 'ServerTimeout', message: 'The request timed out. Please try again.' } },
};

export const policyForbids: DocumentedReply = {
  source: `${troubleshooting}/error-policy-requestdisallowedbypolicy`,
  text: 'page',
  status: 403,
  body: {
    error: {
      code: 'RequestDisallowedByPolicy',
      target: 'vm',
      message:
        'Resource `vm` was disallowed by policy. Policy identifiers: "policyAssignment":{"name":"Allowed sizes","id":"/subscriptions/s/providers/Microsoft.Authorization/policyAssignments/allowed-sizes"}',
    },
  },
};

export const invalidParameter: DocumentedReply = {
  source: `${troubleshooting}/common-deployment-errors`,
  text: 'memory',
  status: 400,
  body: {
    error: {
      code: 'InvalidParameter',
      target: 'vmSize',
      message: 'The value provider.none provided for the VM size is not valid.',
    },
  },
};
