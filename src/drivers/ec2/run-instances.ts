import type {
  BlockDeviceMapping,
  ResourceType,
  RunInstancesCommandInput,
  Tag,
  TagSpecification,
} from '@aws-sdk/client-ec2';
import { createHash } from 'node:crypto';
import type { Tags } from '../../domain/instance.js';
import type { CreateSpec } from '../driver.js';
import { commonTags, launchTags } from './launch-tags.js';
import type { Ec2Parameters } from './parameters.js';
import { bootScript } from './user-data.js';

export interface Placement {
  /** `''`: the account's default. */
  subnetId: string;
  /** Of the key pair; `undefined`: none is installed. */
  keyName: string | undefined;
}

const gib = 2 ** 30;

/**
 * The request for an instance of each of these orders in one subnet (EC-10..EC-17). Several differ in nothing but tags
 * and init command; their instances are told apart by their places in the request.
 */
export function runInstancesInput(
  specs: readonly [CreateSpec, ...CreateSpec[]],
  parameters: Ec2Parameters,
  { subnetId, keyName }: Placement,
): RunInstancesCommandInput {
  const { instanceType, imageId } = specs[0];
  const { securityGroupIds, iamInstanceProfile, metadataHopLimit } = parameters;
  const volumes = scratchVolume(instanceType.addedScratchBytes, parameters.ebsVolumeType);
  return {
    MinCount: 1,
    MaxCount: specs.length,
    ImageId: imageId,
    InstanceType: instanceType.providerType as RunInstancesCommandInput['InstanceType'],
    ClientToken: clientToken(specs, subnetId),
    DisableApiTermination: false,
    InstanceInitiatedShutdownBehavior: 'terminate',
    MetadataOptions: {
      HttpEndpoint: 'enabled',
      HttpTokens: 'required',
      HttpPutResponseHopLimit: metadataHopLimit,
    },
    NetworkInterfaces: [
      {
        DeviceIndex: 0,
        AssociatePublicIpAddress: false,
        DeleteOnTermination: true,
        ...(securityGroupIds.length > 0 ? { Groups: securityGroupIds } : {}),
        ...(subnetId === '' ? {} : { SubnetId: subnetId }),
      },
    ],
    UserData: userData(specs),
    ...(keyName === undefined ? {} : { KeyName: keyName }),
    ...(volumes.length > 0 ? { BlockDeviceMappings: volumes } : {}),
    ...(instanceType.preemptible ? spotOptions(instanceType.price) : {}),
    ...(iamInstanceProfile === '' ? {} : { IamInstanceProfile: { Name: iamInstanceProfile } }),
    TagSpecifications: tagSpecifications(specs, volumes.length > 0),
  };
}

/** What runs as root at first boot, as EC2 takes it (EC-13). */
export function userData(specs: readonly CreateSpec[]): string {
  return Buffer.from(bootScript(specs.map(({ initCommand }) => initCommand))).toString('base64');
}

/** Tags in EC2's own shape. */
export function ec2Tags(tags: Tags): Tag[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

/**
 * The same for each try of these wishes in one subnet; another for another subnet, since EC2 refuses a known token with
 * other parameters. 64 characters are the most it takes.
 */
function clientToken(specs: readonly CreateSpec[], subnetId: string): string {
  const wishes = specs.map(({ idempotencyToken }) => idempotencyToken);
  return createHash('sha256')
    .update([...wishes, subnetId].join('\n'))
    .digest('hex');
}

function scratchVolume(bytes: number, volumeType: string): BlockDeviceMapping[] {
  if (bytes <= 0) return [];
  const VolumeSize = Math.ceil(bytes / gib);
  const type = volumeType as 'gp2';
  return [{ DeviceName: '/dev/xvdt', Ebs: { DeleteOnTermination: true, VolumeType: type, VolumeSize } }];
}

function spotOptions(price: number): Pick<RunInstancesCommandInput, 'InstanceMarketOptions'> {
  return {
    InstanceMarketOptions: {
      MarketType: 'spot',
      SpotOptions: { InstanceInterruptionBehavior: 'terminate', MaxPrice: plainDecimal(price) },
    },
  };
}

/** Without exponent; EC2 knows ten digits behind the point. */
function plainDecimal(value: number): string {
  return /e/.test(String(value)) ? value.toFixed(10).replace(/\.?0+$/, '') : String(value);
}

/** Everything that comes with an instance gets its tags (DW-1), as far as those of the request share them. */
function tagSpecifications(
  specs: readonly [CreateSpec, ...CreateSpec[]],
  hasVolume: boolean,
): TagSpecification[] {
  const all = specs.map(({ tags }) => tags);
  const shared = commonTags(all);
  const kinds: ResourceType[] = ['network-interface'];
  if (hasVolume) kinds.push('volume');
  if (specs[0].instanceType.preemptible) kinds.push('spot-instances-request');
  return [['instance', launchTags(all)] as const, ...kinds.map((kind) => [kind, shared] as const)]
    .map(([ResourceType, tags]) => ({ ResourceType, Tags: ec2Tags(tags) }))
    .filter(({ Tags }) => Tags.length > 0);
}
