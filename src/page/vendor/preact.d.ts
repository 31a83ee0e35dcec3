// The build copies htm's standalone module of preact to vendor/preact.js.
export { h, html, render, Component } from 'htm/preact';
export { useCallback, useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks';
export type { VNode } from 'preact';
