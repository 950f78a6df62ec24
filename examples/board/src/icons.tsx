// Icons are drawn, so that they look the same where no emoji or icon font is installed.

function Icon({ path }: { path: string }) {
  return (
    <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" fill="none" stroke="currentColor" strokeWidth="1.6" strokeLinecap="round">
      <path d={path} />
    </svg>
  );
}

export const GripIcon = () => <Icon path="M6 3.5v.01M10 3.5v.01M6 8v.01M10 8v.01M6 12.5v.01M10 12.5v.01" />;
export const PencilIcon = () => <Icon path="M3 13l.6-2.8 6.9-6.9a1.5 1.5 0 0 1 2.2 2.2l-6.9 6.9z" />;
export const CrossIcon = () => <Icon path="M4 4l8 8M12 4l-8 8" />;
