"""Where frames come from: capture files and the AF_PACKET ring. Each yields `capture.frames.Frames`."""
