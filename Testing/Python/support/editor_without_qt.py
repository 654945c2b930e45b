"""A Segment Editor without its window, as the view of a prompt editor."""

from nodes import segment_editor


class EditorWithoutQt:
    """Writes segments with Slicer's own logic, and records the calls of the prompt editor."""

    def __init__(self, scene, segmentationNode, volumeNode, segmentId):
        self.messages, self.progress, self.states = [], [], 0
        self.node, self.logic = segment_editor(scene, segmentationNode, volumeNode, segmentId)
        self.writes, self.ready = 0, True

    def showState(self):
        self.states += 1

    def showMessage(self, text):
        if text:
            self.messages.append(text)

    def showProgress(self, fraction, text):
        self.progress.append((fraction, text))

    def prepareEngine(self, id):
        return self.ready

    def write(self, compose):
        assert self.logic.ResetModifierLabelmapToDefault()
        modifier = self.logic.GetModifierLabelmap()
        isGrowing = compose(modifier)
        self.logic.SaveStateForUndo()
        self.writes += 1
        node, segment = self.node.GetSegmentationNode(), self.node.GetSelectedSegmentID()
        mode = self.logic.ModificationModeAdd if isGrowing else self.logic.ModificationModeSet
        self.logic.ModifySegmentByLabelmap(node, segment, modifier, mode, False, False)
        return True
