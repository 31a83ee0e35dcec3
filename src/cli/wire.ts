/** The parts of API replies the commands use. */
export interface ContainerBody {
  uuid: string;
  name: string;
  state: string;
  priority: string;
  instance: string;
  instanceType: string;
  exitCode: number | null;
  error: string;
  cost: number | null;
  wait: { code: string; text: string; position: number | null } | null;
}

export interface InstanceBody {
  instance: string;
  address: string;
  type: string;
  providerType: string;
  state: string;
  bootStage: string | null;
  isOrphan: boolean;
  idleBehavior: string;
  price: number;
  containers: string[];
}

export interface Page<T> {
  items: T[];
  next: string | null;
}

export const isFinished = ({ state }: ContainerBody): boolean =>
  state === 'Complete' || state === 'Cancelled';
