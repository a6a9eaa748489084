import { PageHead } from '../ui/basic.jsx';
import { useTitle } from '../lib/hooks.js';

function Overview() {
  useTitle('Overview');
  return <PageHead title="Overview" />;
}

export default { path: '/', nav: 'Overview', icon: 'overview', key: 'o', component: Overview };
