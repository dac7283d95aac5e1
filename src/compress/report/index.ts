export { curveSvg, reportMarkdown, withoutLoss } from './markdown.js';
export { measurePrompts, type Condition, type Prompt, type PromptResult } from './measure.js';
export {
  everySet,
  report,
  withEverySet,
  type Cost,
  type OrderSet,
  type PromptSet,
  type Report,
  type Subject,
} from './report.js';
export { bundleLike, curveSubjects } from './curve.js';
export { png } from './picture.js';
export { reportNetworks, type NetworksReport, type NetworkSubject, type Run } from './networks.js';
export { networksCurveSubjects } from './networks-curve.js';
export { networksCurve, networksMarkdown } from './networks-markdown.js';
export { weightsOf } from './weights.js';
