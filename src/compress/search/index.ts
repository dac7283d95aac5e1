export { searchMarkdown } from './markdown.js';
export { search, type SearchOptions, type SearchResult } from './search.js';
