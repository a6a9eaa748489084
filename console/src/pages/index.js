/* All pages, in the order of the navigation. A page: see README.md, "A page". */
import overview from './overview.jsx';
import listeners from './listeners.jsx';
import documents from './documents.jsx';
import document from './document.jsx';
import partners from './partners.jsx';
import component, { newComponent } from './component.jsx';

export const pages = [
  overview,
  listeners,
  documents,
  document,
  partners,
  newComponent,
  component,
];
