// swift-tools-version: 6.2
import PackageDescription

let upcoming: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// A Swift target of the layer table in ARCHITECTURE.md; it may name only targets of lower layers.
func layer(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: upcoming)
}

func tests(of name: String, _ more: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: [.byName(name: name), "TestSupport"] + more,
        swiftSettings: upcoming)
}

let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let argumentParser = Target.Dependency.product(
    name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let inMemoryLogging = Target.Dependency.product(name: "InMemoryLogging", package: "swift-log")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")

let package = Package(
    name: "Diptych",
    products: [
        .executable(name: "diptych", targets: ["diptych"]),
        // Each target is a module of its own: `import TensorCore`. There is no module that exports them all, since a program
        // would then import `Diptych` beside `diptych`, which no file system without regard to case can hold.
        .library(name: "DiptychCore", targets: ["TensorCore", "Autograd", "TensorIO", "NeuralNet", "Optimizers"]),
        .library(name: "Diptych", targets: ["Models", "Adapters", "InContextEdit", "DiptychData", "Training"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.1.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
    ],
    targets: [
        // 0: system libraries
        .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(name: "CHDF5", pkgConfig: "hdf5-serial", providers: [.apt(["libhdf5-dev"])]),
        .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
        .systemLibrary(name: "CJPEG", pkgConfig: "libjpeg", providers: [.apt(["libjpeg-dev"])]),
        .systemLibrary(name: "CPango", pkgConfig: "pangocairo", providers: [.apt(["libpango1.0-dev"])]),
        .systemLibrary(name: "CWebP", pkgConfig: "libwebpdemux", providers: [.apt(["libwebp-dev"])]),
        // 1: what must be C
        .target(name: "CKernels", exclude: ["README.md"], cSettings: [.headerSearchPath(".")]),
        .target(name: "COneDNN", linkerSettings: [.linkedLibrary("dnnl")]),
        .target(name: "CText", dependencies: ["CPango"]),
        .target(name: "CStorage", dependencies: ["CHDF5", "CPNG", "CJPEG", "CWebP"]),
        // 2 … 9: the layers
        layer("TensorCore", ["COpenBLAS", "CKernels", "COneDNN"]),
        layer("Autograd", ["TensorCore", heap]),
        layer("TensorIO", ["TensorCore", "CStorage"]),
        layer("NeuralNet", ["TensorCore", "Autograd", "TensorIO"]),
        layer("Optimizers", ["TensorCore", "Autograd"]),
        layer("Models", ["TensorCore", "Autograd", "TensorIO", "NeuralNet", heap]),
        layer("Adapters", ["TensorCore", "Autograd", "TensorIO", "NeuralNet"]),
        layer("InContextEdit", ["TensorCore", "Autograd", "TensorIO", "NeuralNet", "Models", "Adapters"]),
        layer("DiptychData", ["CText", "TensorCore", "TensorIO", "Models", "InContextEdit"]),
        layer(
            "Training",
            [
                "TensorCore", "Autograd", "TensorIO", "NeuralNet", "Optimizers", "Models", "Adapters",
                "InContextEdit", "DiptychData", logging, yams,
            ]),
        .executableTarget(
            name: "diptych",
            dependencies: [
                "TensorCore", "Autograd", "TensorIO", "NeuralNet", "Models", "Adapters", "InContextEdit", "DiptychData",
                "Training", argumentParser, logging,
            ], swiftSettings: upcoming),
        .executableTarget(
            name: "diptych-bench",
            dependencies: [
                "TensorCore", "TensorIO", "Autograd", "NeuralNet", "Optimizers", "Models", "Adapters", "InContextEdit",
                "DiptychData", "Training", argumentParser,
            ], path: "Benchmarks/diptych-bench", swiftSettings: upcoming),
        // wrong inputs for every parser
        .target(
            name: "FuzzTargets",
            dependencies: [
                "TensorCore", "TensorIO", "Models", "Adapters", "InContextEdit", "DiptychData", "Training",
            ], path: "Fuzz/FuzzTargets", swiftSettings: upcoming),
        .executableTarget(
            name: "diptych-fuzz", dependencies: ["FuzzTargets", argumentParser], path: "Fuzz/diptych-fuzz",
            swiftSettings: upcoming),
        // tests
        .target(
            name: "TestSupport", dependencies: ["TensorCore", "TensorIO"], path: "Tests/TestSupport",
            swiftSettings: upcoming),
        tests(of: "TensorCore", ["CKernels"]),
        tests(of: "Autograd"),
        tests(of: "TensorIO", ["CStorage"]),
        tests(of: "NeuralNet"),
        tests(of: "Optimizers"),
        tests(of: "Models"),
        tests(of: "Adapters", ["Models", "Optimizers"]),
        tests(of: "InContextEdit", ["Models", "DiptychData"]),
        tests(of: "DiptychData", ["InContextEdit"]),
        tests(
            of: "Training",
            ["Adapters", "DiptychData", "InContextEdit", "Models", "Optimizers", logging, inMemoryLogging]),
        .testTarget(
            name: "CommandLineTests", dependencies: ["diptych", "TensorCore", "TestSupport", "Training", logging],
            swiftSettings: upcoming),
        .testTarget(name: "FuzzTests", dependencies: ["FuzzTargets"], swiftSettings: upcoming),
        .testTarget(name: "ArchitectureTests", swiftSettings: upcoming),
    ]
)

// Pages of the two products: `make docs` asks for them, so that no other build gets the plugin or the targets of the pages.
if Context.environment["DIPTYCH_DOCS"] != nil {
    package.dependencies.append(.package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.4.0"))
    package.targets += [
        .target(
            name: "DiptychCoreGuide", dependencies: ["TensorCore", "Autograd", "TensorIO", "NeuralNet", "Optimizers"],
            path: "Documentation/DiptychCore"),
        .target(
            name: "DiptychGuide", dependencies: ["Models", "Adapters", "InContextEdit", "DiptychData", "Training"],
            path: "Documentation/Diptych"),
    ]
}
