export interface Watchdog {
  folder(path: string): void;
  keep(path: string): void;
  process(child: { pid?: number | undefined }): void;
  close(): Promise<unknown>;
}
export function startWatchdog(): Watchdog;
