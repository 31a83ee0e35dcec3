import type { CapacityScope, DriverErrorCode } from '../../domain/driver-error-code.js';

/** What an error code of EC2 means for the pool, and what the operator can do. */
export interface Meaning {
  code: DriverErrorCode;
  scope?: CapacityScope;
  remedy?: string;
}

const all = (names: string, meaning: Meaning): [string, Meaning][] =>
  names.split(' ').map((name) => [name, meaning]);

const clock = 'set the clock of this host: AWS refuses requests signed at another time than its own';
const permission = 'give the credentials the permission; docs/ec2.md lists what the driver needs';
const credentials = 'correct the access key in driverParameters, or the role of this host';
const spotQuota = 'ask AWS for a higher spot quota; types on demand go on being created';

/** By code, without the words Client. and Server. before it (EC-70..EC-75, DW-5). */
export const meanings: ReadonlyMap<string, Meaning> = new Map([
  ...all(
    'Throttling ThrottlingException ThrottledException RequestThrottledException TooManyRequestsException ' +
      'ProvisionedThroughputExceededException TransactionInProgressException RequestLimitExceeded ' +
      'BandwidthLimitExceeded LimitExceededException RequestThrottled SlowDown PriorRequestNotComplete ' +
      'EC2ThrottledException',
    { code: 'rate-limited', remedy: 'lower pool.maxCloudOpsPerSecond if this goes on' },
  ),
  ...all('InstanceLimitExceeded', { code: 'quota', remedy: 'ask AWS for a higher quota of instances' }),
  ...all('InsufficientAddressCapacity InsufficientFreeAddressesInSubnet', {
    code: 'quota',
    remedy: 'give more subnets in driverParameters.subnetId, or larger ones',
  }),
  ...all('VolumeLimitExceeded MaxIOPSLimitExceeded', {
    code: 'quota',
    remedy: 'ask AWS for a higher quota of volumes',
  }),
  ...all('VcpuLimitExceeded', {
    code: 'capacity',
    scope: 'group',
    remedy: 'ask AWS for a higher vCPU quota of this family',
  }),
  ...all('MaxSpotInstanceCountExceeded MaxSpotFleetRequestCountExceeded', {
    code: 'capacity',
    scope: 'group',
    remedy: spotQuota,
  }),
  ...all(
    'InsufficientInstanceCapacity InsufficientHostCapacity InsufficientCapacity ' +
      'InsufficientReservedInstanceCapacity ReservationCapacityExceeded',
    { code: 'capacity', scope: 'type', remedy: 'configure more types, or subnets in other zones' },
  ),
  ...all('SpotMaxPriceTooLow', {
    code: 'capacity',
    scope: 'type',
    remedy: 'the price of the type is the highest bid: raise it',
  }),
  ...all('InsufficientVolumeCapacity', {
    code: 'capacity',
    scope: 'type',
    remedy: 'give subnets in other zones; types without added scratch go on being created',
  }),
  ...all('InvalidInstanceID.NotFound InvalidInstanceID.Malformed InvalidInstanceID', { code: 'not-found' }),
  ...all('RequestTimeTooSkewed RequestInTheFuture', { code: 'auth', remedy: clock }),
  ...all('RequestExpired', {
    code: 'auth',
    remedy: `renew the credentials if they are of the kind that expires; if they are fresh, ${clock}`,
  }),
  ...all('InvalidSignatureException SignatureDoesNotMatch IncompleteSignature', {
    code: 'auth',
    remedy: `correct driverParameters.secretAccessKey; if it is right, ${clock}`,
  }),
  ...all('ExpiredToken ExpiredTokenException TokenRefreshRequired', {
    code: 'auth',
    remedy: 'the credentials have expired: renew them at their source, or use a role, which renews itself',
  }),
  ...all('UnauthorizedOperation AccessDenied AccessDeniedException NotAuthorized', {
    code: 'auth',
    remedy: permission,
  }),
  ...all('AuthFailure.ServiceLinkedRoleCreationNotPermitted', {
    code: 'auth',
    remedy: 'create the role once: aws iam create-service-linked-role --aws-service-name spot.amazonaws.com',
  }),
  ...all(
    'AuthFailure InvalidClientTokenId UnrecognizedClientException MissingAuthenticationToken Blocked ' +
      'PendingVerification OptInRequired CredentialsProviderError TokenProviderError',
    { code: 'auth', remedy: credentials },
  ),
  ...all('InvalidAMIID.NotFound InvalidAMIID.Malformed InvalidAMIID.Unavailable InvalidAMIID', {
    code: 'invalid',
    remedy: 'correct pool.imageId: it must be an image that this account sees in this region',
  }),
  ...all('InvalidSubnetID.NotFound InvalidSubnetId.NotFound InvalidSubnet', {
    code: 'invalid',
    remedy: 'correct driverParameters.subnetId',
  }),
  ...all('InvalidGroup.NotFound InvalidGroupId.Malformed InvalidSecurityGroupID.NotFound', {
    code: 'invalid',
    remedy: 'correct driverParameters.securityGroupIds: the groups must be of the VPC of the subnet',
  }),
  ...all('InvalidIamInstanceProfile InvalidIamInstanceProfileArn.Malformed NoSuchEntity', {
    code: 'invalid',
    remedy: 'correct driverParameters.iamInstanceProfile',
  }),
  ...all('InvalidKeyPair.NotFound InvalidKey.Format', {
    code: 'invalid',
    remedy: 'EC2 takes RSA and Ed25519 keys only: check dispatchPrivateKey',
  }),
  ...all(
    'InvalidInstanceType Unsupported UnsupportedOperation InvalidVirtualization UnsupportedHibernation',
    {
      code: 'invalid',
      remedy: 'take the type out of instanceTypes, or use an image and subnets that allow it',
    },
  ),
  ...all('OperationNotPermitted', {
    code: 'invalid',
    remedy: 'turn off the protection of the instance against termination',
  }),
  ...all('TagLimitExceeded InvalidTagKey.Malformed InvalidTag', {
    code: 'invalid',
    remedy:
      'correct pool.resourceTags and pool.tagKeyPrefix: AWS takes 50 tags, and none that begins with aws:',
  }),
  ...all('InternalError InternalFailure ServerInternal ServiceUnavailable Unavailable RequestTimeout', {
    code: 'unavailable',
    remedy: 'AWS has a fault; the call is made again',
  }),
  ...all('ENOTFOUND EAI_AGAIN', {
    code: 'unavailable',
    remedy: 'check driverParameters.region and endpoint, and the name service of this host',
  }),
  ...all('ECONNREFUSED EHOSTUNREACH ENETUNREACH ETIMEDOUT ECONNRESET EPIPE TimeoutError', {
    code: 'unavailable',
    remedy: 'check the way from this host to the endpoint of the region',
  }),
]);
