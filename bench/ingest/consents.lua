-- A fresh submission for every request: a new id, a new secret. AVOW_CITED is the JSON of policy and notice.
local cited = os.getenv("AVOW_CITED") or "{}"
local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
local count = 0
local bad = 0

function init()
  math.randomseed(os.time() + (tonumber(os.getenv("AVOW_SEED")) or 0))
  wrk.method = "POST"
  wrk.headers["content-type"] = "application/json"
  wrk.headers["origin"] = "http://bench.example"
end

local function secret()
  local letters = {}
  for i = 1, 21 do
    local at = math.random(1, 64)
    letters[i] = alphabet:sub(at, at)
  end
  return table.concat(letters) .. "A"
end

function request()
  count = count + 1
  local ms = os.time() * 1000 + count % 1000
  local hex = string.format("%012x", ms)
  local id = string.format("%s-%s-7%03x-8%03x-%06x%06x", hex:sub(1, 8), hex:sub(9), math.random(0, 4095), math.random(0, 4095), math.random(0, 16777215), count % 16777216)
  local grant = math.random() < 0.5
  local body = string.format(
    '{"id":"%s","site":"bench","secret":"%s","action":"%s","choices":{"analytics":%s},%s,"ui":"abc123","layer":"banner","offered":["reject-all","accept-all"],"decidedAt":"%s","ageMs":12,"gpc":null,"previous":null,"sdk":"0.1.0"}',
    id, secret(), grant and "accept-all" or "reject-all", tostring(grant), cited:sub(2, -2), os.date("!%Y-%m-%dT%H:%M:%S.000Z"))
  return wrk.format(nil, "/v1/consents", nil, body)
end

function done(summary, latency)
  io.write(string.format('RESULT {"requests":%d,"seconds":%.3f,"p50":%.2f,"p99":%.2f,"max":%.2f,"non2xx":%d,"socket":%d,"timeouts":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000,
    summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.write, summary.errors.timeout))
end
