-- One container as Docker describes it, with an empty list in place of its environment.

local function end_of_array(text, start)
  -- The position of the bracket that closes the array of strings beginning at start.
  local position, in_string = start + 1, false
  while position <= #text do
    local character = text:sub(position, position)
    if in_string then
      if character == "\\" then
        position = position + 1
      elseif character == '"' then
        in_string = false
      end
    elseif character == '"' then
      in_string = true
    elseif character == "]" then
      return position
    end
    position = position + 1
  end
  return nil
end

local function without_environment(text)
  -- A quote inside a JSON string is escaped, so '"Env":[' is always a key.
  local from = 1
  while true do
    local key_start, key_end = text:find('"Env":%s*%[', from)
    if not key_start then
      return text
    end
    local close = end_of_array(text, key_end)
    if not close then
      return nil
    end
    text = text:sub(1, key_end) .. text:sub(close)
    from = key_end + 1
  end
end

core.register_service("container", "http", function(applet)
  local answer = core.httpclient():get({
    url = "http://docker" .. applet.path,
    dst = "unix@/var/run/docker.sock",
    timeout = 10000,
  })
  local body = without_environment(answer.body or "")
  local status = answer.status
  if not body or status == 0 then
    status, body = 502, ""
  end
  applet:set_status(status)
  applet:add_header("content-type", "application/json")
  applet:add_header("content-length", tostring(#body))
  applet:start_response()
  applet:send(body)
end)
