import { describe, expect, test } from 'vitest'
import { isAllowedGitUrl, TestDataRef } from './test-data.ts'

describe('isAllowedGitUrl', () => {
  test.each([
    'https://github.com/a/b',
    'http://git.example.org:8080/a.git',
    'https://8.8.8.8/a',
    'https://172.32.0.1/a',
    'https://172.15.0.1/a',
    'https://223.1.1.1/a',
  ])('takes %s', (url) => {
    expect(isAllowedGitUrl(url)).toBe(true)
  })
  test.each([
    'git@github.com:a/b',
    'ssh://github.com/a',
    'https:github.com/a',
    'https:///github.com/a',
    'https:\\\\github.com/a',
    'https://github.com\n/a',
    'file:///etc',
    'https://localhost/a',
    'https://LOCALHOST./a',
    'https://metadata.google.internal/a',
    'https://db.svc/a',
    'https://x.cluster.local/a',
    'https://127.0.0.1/a',
    'https://2130706433/a',
    'https://0x7f.1/a',
    'https://10.0.0.1/a',
    'https://192.168.1.1/a',
    'https://172.16.0.1/a',
    'https://172.31.255.255/a',
    'https://224.0.0.1/a',
    'https://169.254.169.254/a',
    'https://0.0.0.0/a',
    'https://[::1]/a',
    'https://[fd00::1]/a',
    'https://[fe80::1]/a',
    'https://[::ffff:10.0.0.1]/a',
    'https://[64:ff9b::10.0.0.1]/a',
    'https://[fd00:ec2::254]/a',
    'https://100.64.0.1/a',
  ])('refuses %s', (url) => {
    expect(isAllowedGitUrl(url)).toBe(false)
  })
})

describe('TestDataRef', () => {
  const git = { url: 'https://github.com/a/b', ref: 'main' }
  test.each([
    [{ git }, true],
    [{ hf: { repo_id: 'a/b' } }, true],
    [{ pvc: { claim_name: 'data' }, type: 'pre_recorded_data' }, true],
    [{}, false],
    [{ git, hf: { repo_id: 'a/b' } }, false],
    [{ hf: { repo_id: ' ' } }, false],
    [{ pvc: { claim_name: 'Data' } }, false],
    [{ git: { ...git, url: 'http://github.com/a/b', secret_ref: 's' } }, false],
    [{ git: { ...git, secret_ref: 's' } }, true],
  ])('%j is taken: %s', (ref, isTaken) => {
    expect(TestDataRef.safeParse(ref).success).toBe(isTaken)
  })
})
