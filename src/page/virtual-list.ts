import { html, useEffect, useRef, useState, type VNode } from './vendor/preact.js';

export interface VirtualListProps<T> {
  items: readonly T[];
  rowHeight: number;
  /** Extra rows drawn outside the visible area. */
  overscan?: number;
  label: string;
  keyOf(item: T): string;
  row(item: T, index: number): VNode;
  /** Stays at the end while the reader is there. */
  stickToEnd?: boolean;
}

/** A list of any length that draws only visible rows. */
export function VirtualList<T>(props: VirtualListProps<T>): VNode {
  const { items, rowHeight, overscan = 6, label, keyOf, row, stickToEnd = false } = props;
  const box = useRef<HTMLDivElement | null>(null);
  const isAtEnd = useRef(true);
  const [sight, setSight] = useState({ top: 0, height: 600 });
  const look = (): void => {
    const { scrollTop, clientHeight, scrollHeight } = box.current!;
    isAtEnd.current = scrollHeight - scrollTop - clientHeight < rowHeight * 2;
    setSight((before) =>
      before.top === scrollTop && before.height === clientHeight
        ? before
        : { top: scrollTop, height: clientHeight },
    );
  };
  useEffect(() => {
    const observer = new ResizeObserver(look);
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (stickToEnd && isAtEnd.current) box.current!.scrollTop = box.current!.scrollHeight;
  }, [items, stickToEnd]);
  const first = Math.max(0, Math.floor(sight.top / rowHeight) - overscan);
  const last = Math.min(items.length, Math.ceil((sight.top + sight.height) / rowHeight) + overscan);
  return html`<div class="virtual" ref=${box} onScroll=${look} tabindex="0" role="region" aria-label=${label}>
    <div class="virtual-all" role="list" style=${{ height: `${items.length * rowHeight}px` }}>
      ${items
        .slice(first, last)
        .map(
          (item, offset) =>
            html`<div
              key=${keyOf(item)}
              class="virtual-row"
              role="listitem"
              aria-setsize=${items.length}
              aria-posinset=${first + offset + 1}
              style=${{ transform: `translateY(${(first + offset) * rowHeight}px)`, height: `${rowHeight}px` }}
            >
              ${row(item, first + offset)}
            </div>`,
        )}
    </div>
  </div>`;
}
