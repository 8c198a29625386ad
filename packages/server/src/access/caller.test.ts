import { expect, test } from 'vitest'
import { administers, type Grant, may, mayGrant, reaches, type Scope } from './caller.js'

const grant = (sites: string[] | null, ...scopes: Scope[]): Grant => ({ sites, scopes })
const caller = (...grants: Grant[]) => ({ grants })

test('what a role may do on one site it may not do on the site of another role', () => {
  const both = caller(grant(['a'], 'audit:export'), grant(['b'], 'audit:read'))
  expect([may(both, 'audit:export', 'a'), may(both, 'audit:read', 'b')]).toEqual([true, true])
  expect([may(both, 'audit:export', 'b'), may(both, 'audit:read', 'a'), may(both, 'audit:read', null)]).toEqual([
    false,
    false,
    false,
  ])
  expect([reaches(both, 'a'), reaches(both, 'c'), reaches(caller(grant(null, 'admin')), 'c')]).toEqual([
    true,
    false,
    true,
  ])
})

test('only what is administered whole is administered', () => {
  const one = caller(grant(['a'], 'admin'), grant(null, 'audit:read'))
  expect([administers(one, { sites: ['a'] }), administers(one, { sites: ['a', 'b'] })]).toEqual([true, false])
  expect(administers(one, { sites: null })).toBe(false)
  expect(administers(caller(grant(['a'], 'admin'), grant(['b'], 'admin')), { sites: ['a', 'b'] })).toBe(true)
})

test('nobody hands out what reaches further than they do, and only who administers all sites any scope', () => {
  const all = caller(grant(null, 'admin'))
  const shop = caller(grant(['shop'], 'admin', 'audit:read'))
  expect(mayGrant(all, grant(null, 'audit:export'))).toBe(true)
  expect(mayGrant(shop, grant(['shop'], 'audit:read', 'admin'))).toBe(true)
  for (const wider of [grant(null, 'audit:read'), grant(['shop', 'b'], 'audit:read'), grant(['shop'], 'audit:export')])
    expect(mayGrant(shop, wider)).toBe(false)
  // Reading everywhere and administering one site are two things.
  const mixed = caller(grant(['shop'], 'admin'), grant(null, 'audit:read'))
  expect([mayGrant(mixed, grant(['shop'], 'audit:read')), mayGrant(mixed, grant(null, 'audit:read'))]).toEqual([
    true,
    false,
  ])
  expect(mayGrant(caller(grant(null, 'audit:read')), grant(['shop'], 'audit:read'))).toBe(false)
})
