"""The Segment Editor effect behind `SegmentEditorEffect`: prompts, mouse, drawing and panel."""
