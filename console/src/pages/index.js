/* All pages, in the order of the navigation. A page: see README.md, "A page". */
import overview from './overview.jsx';
import listeners from './listeners.jsx';
import documents from './documents.jsx';
import document from './document.jsx';
import partners from './partners.jsx';
import component, { newComponent } from './component.jsx';
import certificates from './certificates.jsx';
import certificate from './certificate.jsx';
import sessions from './sessions.jsx';
import audit from './audit.jsx';
import users from './users.jsx';
import settings from './settings.jsx';

export const pages = [
  overview,
  listeners,
  documents,
  document,
  sessions,
  partners,
  newComponent,
  component,
  certificates,
  certificate,
  audit,
  users,
  settings,
];
