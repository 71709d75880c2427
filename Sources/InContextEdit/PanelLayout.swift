/// How the two panels of a diptych lie.
public enum PanelLayout: String, Sendable, CaseIterable {
    /// The source on the left, its edit on the right: ICEdit's.
    case beside
    /// The source above, its edit below: for wide pictures.
    case stacked
    /// The edit alone is on the canvas; the model sees the source as a reference beside it: FLUX.1 Kontext's.
    case reference
}

/// A panel of a diptych.
public enum DiptychPanel: Sendable, CaseIterable {
    /// The picture as it was; the mask is 0 there.
    case source
    /// The picture as it becomes; the mask is 1 there.
    case edited
}

/// Which panel layout diptychs get; the names are those of configurations.
public enum PanelLayoutChoice: String, Sendable, Codable, CaseIterable {
    /// The source on the left, its edit on the right.
    case beside
    /// The source above, its edit below.
    case stacked
    /// Stacked where the panel is wider than tall, beside otherwise.
    case auto

    /// The panel layout of panels of this size.
    ///
    /// Panels of w x h make a canvas of 2 w x h or of w x 2 h. As ratios, `|log (2 w / h)|` and `|log (w / 2 h)|`, the
    /// second is nearer to a square exactly where w > h, so that no row or column of tokens is farther out than it must be
    /// from what the base has seen most: panels of 768 x 512 make 32 rows of 96 tokens beside each other, 64 rows of 48
    /// stacked. A square panel gains nothing, and stays as upstream's.
    public func layout(panelWidth: Int, panelHeight: Int) -> PanelLayout {
        switch self {
        case .beside: .beside
        case .stacked: .stacked
        case .auto: panelWidth > panelHeight ? .stacked : .beside
        }
    }
}
