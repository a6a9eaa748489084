import { PageHead } from '../ui/basic.jsx';
import { useTitle } from '../lib/hooks.js';

function Documents() {
  useTitle('Documents');
  return <PageHead title="Documents" />;
}

export default { path: "/documents", nav: 'Documents', icon: 'documents', key: "d", component: Documents };
