import { PageHead } from '../ui/basic.jsx';
import { useTitle } from '../lib/hooks.js';

function Document() {
  useTitle('Document');
  return <PageHead title="Document" />;
}

export default { path: '/documents/:id', component: Document };
