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
import type { Ec2Parameters } from './parameters.js';

export interface Placement {
  /** `''`: the account's default. */
  subnetId: string;
  /** Of the key pair; `undefined`: none is installed. */
  keyName: string | undefined;
}

const gib = 2 ** 30;

/** The request for one instance in one subnet (EC-10..EC-17). */
export function runInstancesInput(
  spec: CreateSpec,
  parameters: Ec2Parameters,
  { subnetId, keyName }: Placement,
): RunInstancesCommandInput {
  const { instanceType, imageId, tags, idempotencyToken } = spec;
  const { securityGroupIds, iamInstanceProfile, metadataHopLimit } = parameters;
  const volumes = scratchVolume(instanceType.addedScratchBytes, parameters.ebsVolumeType);
  return {
    MinCount: 1,
    MaxCount: 1,
    ImageId: imageId,
    InstanceType: instanceType.providerType as RunInstancesCommandInput['InstanceType'],
    ClientToken: clientToken(idempotencyToken, subnetId),
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
    UserData: userData(spec.initCommand),
    ...(keyName === undefined ? {} : { KeyName: keyName }),
    ...(volumes.length > 0 ? { BlockDeviceMappings: volumes } : {}),
    ...(instanceType.preemptible ? spotOptions(instanceType.price) : {}),
    ...(iamInstanceProfile === '' ? {} : { IamInstanceProfile: { Name: iamInstanceProfile } }),
    TagSpecifications: tagSpecifications(tags, instanceType.preemptible, volumes.length > 0),
  };
}

/** What runs as root at first boot, as EC2 takes it (EC-13). */
export function userData(initCommand: string): string {
  return Buffer.from(`#!/bin/sh\n${initCommand}\n`).toString('base64');
}

/** Tags in EC2's own shape. */
export function ec2Tags(tags: Tags): Tag[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

/**
 * The same for each try of a wish in one subnet; another for another subnet, since EC2 refuses a known token with
 * other parameters. 64 characters are the most it takes.
 */
function clientToken(idempotencyToken: string, subnetId: string): string {
  return createHash('sha256').update(`${idempotencyToken}\n${subnetId}`).digest('hex');
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

/** Everything that comes with an instance gets its tags (DW-1). */
function tagSpecifications(tags: Tags, isSpot: boolean, hasVolume: boolean): TagSpecification[] {
  const Tags = ec2Tags(tags);
  if (Tags.length === 0) return [];
  const kinds: ResourceType[] = ['instance', 'network-interface'];
  if (hasVolume) kinds.push('volume');
  if (isSpot) kinds.push('spot-instances-request');
  return kinds.map((ResourceType) => ({ ResourceType, Tags }));
}
