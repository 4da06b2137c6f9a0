"""What Orthanc loads: ``rtpacs_plugin`` registers, ``intake`` and ``guard`` do the work."""
