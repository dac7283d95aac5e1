export { curveSvg, reportMarkdown, withoutLoss } from './markdown.js';
export type { Condition, Prompt } from './measure.js';
export {
  report,
  type Cost,
  type OrderSet,
  type PromptSet,
  type Report,
  type Subject,
} from './report.js';
export { bundleLike, curveSubjects } from './curve.js';
