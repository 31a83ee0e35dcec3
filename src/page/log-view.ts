import { part } from './api.js';
import { messageOf } from './hooks.js';
import { LogStream, type LogLine } from './log-stream.js';
import { Failure } from './pieces.js';
import { html, useEffect, useReducer, useState, type VNode } from './vendor/preact.js';
import { VirtualList } from './virtual-list.js';

/** The output of a container, live. */
export function LogView({ uuid }: { uuid: string }): VNode {
  const [stream, setStream] = useState('stdout');
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const [log, setLog] = useState<LogStream | undefined>(undefined);
  useEffect(() => {
    const next = new LogStream(() => redraw(undefined));
    setLog(next);
    void next.follow(uuid, stream);
    return () => next.stop();
  }, [uuid, stream]);
  const state = log?.isOver ? `${log.lines.length + log.skipped} lines` : 'live';
  return html`<section class="card" aria-label="Output">
    <div class="heading">
      <h2>Output <span class="quiet">${state}</span></h2>
      <div class="buttons" role="group" aria-label="Stream">
        ${['stdout', 'stderr'].map(
          (each) =>
            html`<button key=${each} aria-pressed=${stream === each} onClick=${() => setStream(each)}>
              ${each}
            </button>`,
        )}
      </div>
      <a href="/v1/containers/${part(uuid)}/logs?stream=${stream}" download="${uuid}.${stream}.txt"
        >Download</a
      >
    </div>
    <${Failure} text=${log?.error === undefined ? undefined : messageOf(log.error)} />
    ${
      log && log.skipped > 0
        ? html`<p class="quiet">
            ${log.skipped} earlier lines are not shown; the download has all stored output.
          </p>`
        : null
    }
    <div class="log">
      <${VirtualList}
        items=${log?.lines ?? []}
        rowHeight=${18}
        label=${`Output of the container, ${stream}`}
        stickToEnd=${true}
        keyOf=${(line: LogLine) => String(line.number)}
        row=${(line: LogLine) => html`<span class="line-number">${line.number}</span><span>${line.text}</span>`}
      />
    </div>
    ${log?.isOver && log.lines.length === 0 && !log.error ? html`<p class="quiet">No output.</p>` : null}
  </section>`;
}
