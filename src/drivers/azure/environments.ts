/** Where a cloud's resource manager and its sign-in are. */
export interface AzureEnvironment {
  resourceManagerEndpoint: string;
  authorityHost: string;
}

/** The clouds of Azure by the names its tools give them (AZ-1). */
export const azureEnvironments = {
  AzurePublicCloud: {
    resourceManagerEndpoint: 'https://management.azure.com',
    authorityHost: 'https://login.microsoftonline.com',
  },
  AzureUSGovernmentCloud: {
    resourceManagerEndpoint: 'https://management.usgovcloudapi.net',
    authorityHost: 'https://login.microsoftonline.us',
  },
  AzureChinaCloud: {
    resourceManagerEndpoint: 'https://management.chinacloudapi.cn',
    authorityHost: 'https://login.chinacloudapi.cn',
  },
} satisfies Record<string, AzureEnvironment>;
