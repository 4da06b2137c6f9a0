-- Tells our plugin of each instance that left Orthanc; the change feed does not list them.
-- Here and not in Python: Orthanc would call Python for every change of every object that arrives,
-- and each call takes the interpreter from the hook. Lua is asked for deletions alone.
function OnDeletedInstance(instanceId)
  RestApiPost('/rtpacs/deleted/' .. instanceId, '')
end
