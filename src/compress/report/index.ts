export { curveSvg, reportMarkdown, withoutLoss } from './markdown.js';
export {
  measurePrompts,
  promptsKey,
  type Condition,
  type Prompt,
  type PromptResult,
  type PromptSet,
} from './measure.js';
export { type FreeSpeech } from './dictated.js';
export {
  everySet,
  report,
  withEverySet,
  type Cost,
  type OrderSet,
  type Report,
  type Subject,
} from './report.js';
export { bundleLike, curveSubjects } from './curve.js';
export { png } from './picture.js';
export { reportNetworks, type NetworksReport, type NetworkSubject, type Run } from './networks.js';
export { networksCurveSubjects } from './networks-curve.js';
export { networksCurve, networksMarkdown } from './networks-markdown.js';
export { weightsOf } from './weights.js';
