// The pages of tickets without a name, loaded when one of them is opened.
import type { AnonymousRoute } from './anonymous-route.ts'
import { BackupPage } from './backup-page.tsx'
import { BuyPage } from './buy-page.tsx'
import { PurchasePage, Returned } from './purchase-page.tsx'
import { TokenPage } from './token-page.tsx'
import { VoucherPage } from './voucher-page.tsx'
import './anonymous.css'

export function Anonymous({ route }: { route: AnonymousRoute }) {
  switch (route.page) {
    case 'buy':
      return <BuyPage event={route.event} />
    case 'voucher':
      return <VoucherPage code={route.code} />
    case 'purchase':
      return <PurchasePage id={route.id} />
    case 'returned':
      return <Returned paid={route.paid} />
    case 'token':
      return <TokenPage number={route.number} />
    case 'backup':
      return <BackupPage />
  }
}
