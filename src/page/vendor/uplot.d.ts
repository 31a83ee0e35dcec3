// The build copies uPlot's module to vendor/uplot.js.
export { default } from 'uplot';
