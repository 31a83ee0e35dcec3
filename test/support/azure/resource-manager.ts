import {
  regionalQuota,
  resourceNotFound,
  type DocumentedReply,
} from '../../drivers/azure/documented-replies.js';
import type { FakeReply, FakeRequest } from './fake-azure.js';
import { subscription, type FakeMachine, type FakeResources } from './resources.js';

export interface ManagerKnobs {
  /** How long an accepted operation takes. */
  operationMs: number;
  /** How long a new machine is not listed yet. */
  listLagMs: number;
  pageSize: number;
  mostMachines: number;
  /** The interface and the disk of a removed machine stay. */
  leaks: boolean;
  /** What the making of each machine ends with, after it was accepted. */
  failsWith: DocumentedReply | undefined;
}

interface Turn {
  request: FakeRequest;
  resources: FakeResources;
  knobs: ManagerKnobs;
  url: string;
}

const ok = (body?: unknown): FakeReply => ({ status: 200, body });
const refuse = (status: number, code: string, message: string): FakeReply => ({
  status,
  body: { error: { code, message } },
});

/** Answers one request to the resource manager. */
export function answerManager(
  request: FakeRequest,
  resources: FakeResources,
  knobs: ManagerKnobs,
  url: string,
): FakeReply {
  const turn = { request, resources, knobs, url };
  settle(resources);
  const operation =
    /\/providers\/Microsoft\.(?:Compute|Network)\/locations\/[^/]+\/operations\/([^/]+)$/.exec(request.path);
  if (operation) return tellOperation(resources, operation[1]!);
  const base = `/subscriptions/${subscription}/resourceGroups/${resources.group}/providers/`;
  if (!request.path.toLowerCase().startsWith(base.toLowerCase())) {
    return refuse(404, 'ResourceGroupNotFound', 'Resource group could not be found.');
  }
  const [provider, type, name, ...more] = request.path.slice(base.length).split('/');
  if (!request.query.get('api-version')) return refuse(400, 'MissingApiVersionParameter', 'api-version');
  if (more.join('/') === 'providers/Microsoft.Resources/tags/default') return patchTags(turn, name!);
  switch (`${provider}/${type} ${request.method}`) {
    case 'Microsoft.Network/networkInterfaces PUT':
      return putInterface(turn, name!);
    case 'Microsoft.Network/networkInterfaces GET':
      return name
        ? getInterface(turn, name)
        : page(turn, [...resources.interfaces.values()], (each) => resources.interfaceBody(each));
    case 'Microsoft.Network/networkInterfaces DELETE':
      return deleteInterface(turn, name!);
    case 'Microsoft.Compute/virtualMachines PUT':
      return putMachine(turn, name!);
    case 'Microsoft.Compute/virtualMachines GET':
      return name
        ? getMachine(turn, name)
        : page(turn, listedMachines(turn), (each) => resources.machineBody(each));
    case 'Microsoft.Compute/virtualMachines DELETE':
      return deleteMachine(turn, name!);
    case 'Microsoft.Compute/disks GET':
      return page(turn, [...resources.disks.values()], (each) => resources.diskBody(each));
    case 'Microsoft.Compute/disks DELETE':
      return accepted(turn, 'Compute', () => void resources.disks.delete(name!));
    default:
      return refuse(405, 'MethodNotAllowed', `${request.method} ${request.path}`);
  }
}

function listedMachines({ resources, knobs }: Turn): FakeMachine[] {
  const visible = ({ madeAt }: FakeMachine): boolean => Date.now() - madeAt >= knobs.listLagMs;
  return [...resources.machines.values()].filter(visible);
}

/** Azure's pages end with a link to the next, which names everything that is needed. */
function page<T>({ request, knobs, url }: Turn, all: T[], bodyOf: (each: T) => unknown): FakeReply {
  const from = Number(request.query.get('$skiptoken') ?? '0');
  const next = from + knobs.pageSize;
  const version = request.query.get('api-version');
  return ok({
    value: all.slice(from, next).map(bodyOf),
    ...(next < all.length && { nextLink: `${url}${request.path}?api-version=${version}&$skiptoken=${next}` }),
  });
}

function accepted(
  { resources, knobs, url }: Turn,
  provider: 'Compute' | 'Network',
  finish: () => void,
  reply: FakeReply = { status: 202 },
  error?: { code: string; message: string },
): FakeReply {
  const id = `op-${resources.operations.size + 1}`;
  resources.operations.set(id, { doneAt: Date.now() + knobs.operationMs, isFinished: false, error, finish });
  const folder = `/subscriptions/${subscription}/providers/Microsoft.${provider}/locations/${resources.location}`;
  const address = `${url}${folder}/operations/${id}?api-version=2024-07-01`;
  return { ...reply, headers: { ...reply.headers, 'azure-asyncoperation': address } };
}

function tellOperation(resources: FakeResources, id: string): FakeReply {
  const operation = resources.operations.get(id);
  if (!operation) return refuse(404, 'OperationNotFound', id);
  if (!operation.isFinished) return ok({ name: id, status: 'InProgress' });
  const { error } = operation;
  return ok({ name: id, status: error ? 'Failed' : 'Succeeded', ...(error && { error }) });
}

/** Operations whose end nobody asks for end all the same. */
function settle(resources: FakeResources): void {
  for (const operation of resources.operations.values()) {
    if (operation.isFinished || Date.now() < operation.doneAt) continue;
    operation.isFinished = true;
    operation.finish();
  }
}

interface InterfaceBody {
  tags?: Record<string, string>;
  properties?: { ipConfigurations?: { properties?: { subnet?: { id?: string } } }[] };
}

function putInterface(turn: Turn, name: string): FakeReply {
  const { request, resources } = turn;
  const body = JSON.parse(request.body) as InterfaceBody;
  const subnetId = body.properties?.ipConfigurations?.[0]?.properties?.subnet?.id ?? '';
  if (!subnetId.endsWith('/virtualNetworks/net/subnets/subnet')) {
    const message = `Resource ${subnetId} referenced by resource ${name} was not found.`;
    return refuse(400, 'InvalidResourceReference', message);
  }
  const known = resources.interfaces.get(name);
  const nic = {
    name,
    subnetId,
    tags: body.tags ?? {},
    address: known?.address ?? resources.nextAddress(),
    machine: known?.machine,
  };
  resources.interfaces.set(name, nic);
  const reply = { status: known ? 200 : 201, body: resources.interfaceBody(nic) };
  return accepted(turn, 'Network', () => {}, reply);
}

function getInterface({ resources }: Turn, name: string): FakeReply {
  const nic = resources.interfaces.get(name);
  return nic
    ? ok(resources.interfaceBody(nic))
    : resourceNotFound(`Microsoft.Network/networkInterfaces/${name}`);
}

function deleteInterface(turn: Turn, name: string): FakeReply {
  const { resources } = turn;
  const nic = resources.interfaces.get(name);
  if (!nic) return { status: 204 };
  if (nic.machine)
    return refuse(400, 'NicInUse', `Network Interface ${name} is used by an existing resource.`);
  return accepted(turn, 'Network', () => void resources.interfaces.delete(name));
}

type MachineBody = Pick<FakeMachine, 'properties'> & { tags?: Record<string, string> };

function putMachine(turn: Turn, name: string): FakeReply {
  const { request, resources, knobs } = turn;
  if (resources.machines.has(name) && request.headers['if-none-match'] === '*') {
    return refuse(412, 'PreconditionFailed', `The resource ${name} already exists.`);
  }
  const { tags = {}, properties } = JSON.parse(request.body) as MachineBody;
  const keys = properties.osProfile.linuxConfiguration?.ssh?.publicKeys ?? [];
  if (keys.length === 0)
    return refuse(
      400,
      'InvalidParameter',
      'Authentication using either SSH or by user name and password must be enabled in Linux profile.',
    );
  const image = JSON.stringify(properties.storageProfile.imageReference);
  if (/"[^"]*\/images\/missing"/.test(image)) return resourceNotFound('Microsoft.Compute/images/missing');
  if (resources.machines.size >= knobs.mostMachines) return regionalQuota;
  const [{ id }] = properties.networkProfile.networkInterfaces as [{ id: string }];
  const nic = resources.interfaces.get(id.split('/').at(-1)!);
  if (!nic) return refuse(400, 'InvalidResourceReference', `Resource ${id} was not found.`);
  const machine: FakeMachine = {
    name,
    tags,
    madeAt: Date.now(),
    properties: { ...properties, vmId: `vm-${resources.operations.size}`, provisioningState: 'Creating' },
  };
  nic.machine = name;
  resources.machines.set(name, machine);
  const error = (knobs.failsWith?.body as { error?: { code: string; message: string } } | undefined)?.error;
  const { osDisk } = properties.storageProfile;
  if (!error) {
    resources.disks.set(osDisk.name, {
      name: osDisk.name,
      machine: name,
      timeCreated: new Date().toISOString(),
    });
  }
  const finish = (): void => {
    machine.properties.provisioningState = error ? 'Failed' : 'Succeeded';
  };
  return accepted(turn, 'Compute', finish, { status: 201, body: resources.machineBody(machine) }, error);
}

function getMachine({ resources }: Turn, name: string): FakeReply {
  const machine = resources.machines.get(name);
  return machine
    ? ok(resources.machineBody(machine))
    : resourceNotFound(`Microsoft.Compute/virtualMachines/${name}`);
}

function deleteMachine(turn: Turn, name: string): FakeReply {
  const { resources, knobs } = turn;
  const machine = resources.machines.get(name);
  if (!machine) return { status: 204 };
  machine.properties.provisioningState = 'Deleting';
  return accepted(turn, 'Compute', () => resources.removeMachine(name, knobs.leaks));
}

function patchTags({ request, resources }: Turn, name: string): FakeReply {
  const machine = resources.machines.get(name);
  if (!machine) return resourceNotFound(`Microsoft.Compute/virtualMachines/${name}`);
  const { operation, properties } = JSON.parse(request.body) as {
    operation: string;
    properties: { tags: Record<string, string> };
  };
  if (operation === 'Replace') machine.tags = { ...properties.tags };
  else if (operation === 'Merge') machine.tags = { ...machine.tags, ...properties.tags };
  else return refuse(400, 'InvalidTagsOperation', operation);
  return ok({ id: `${request.path}`, properties: { tags: machine.tags } });
}
